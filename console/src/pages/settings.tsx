import type { SettingsReply } from '../api/types.ts';
import { useData } from '../api/use.ts';
import { Badge, Button, Stat, Table } from '../parts/bits.tsx';
import { bytes, duration } from '../parts/format.ts';
import { Icon } from '../parts/icons.tsx';
import { PageHead, Shown } from '../parts/states.tsx';

export function SettingsPage() {
  const found = useData<SettingsReply>('/v1/admin/settings');
  return (
    <>
      <PageHead
        title="Settings"
        lead={
          <>
            What this process runs with. It is set by its environment, read only here:{' '}
            <a href="/docs/configuration">how</a>.
          </>
        }
      >
        <Button icon="refresh" busy={found.state === 'loading'} onClick={found.reload}>
          Check again
        </Button>
      </PageHead>
      <Shown of={found}>
        {({ settings, findings, process }) => (
          <div class="stack">
            <dl class="stats">
              <Stat label="Version" value={String(process.version)} note={`Node ${process.node}`} />
              <Stat label="Store" value={process.store === 'sqlite' ? 'SQLite' : 'PostgreSQL'} />
              <Stat label="Up for" value={duration(Number(process.uptime_s))} />
              <Stat label="Memory" value={bytes(Number(process.memory_bytes))} note="resident" />
            </dl>
            <section aria-labelledby="doctor">
              <h2 id="doctor">Doctor</h2>
              <ul class="findings">
                {findings.map(({ check, level, says }) => (
                  <li key={check} class={level}>
                    <Icon name={level === 'ok' ? 'check' : 'warn'} />
                    <strong>{check}</strong>
                    <span>{says}</span>
                    <Badge tone={level === 'ok' ? 'good' : level === 'note' ? 'warn' : 'bad'}>{level}</Badge>
                  </li>
                ))}
              </ul>
            </section>
            <section aria-labelledby="settings">
              <h2 id="settings">Settings</h2>
              <SettingsTable settings={settings} />
            </section>
          </div>
        )}
      </Shown>
    </>
  );
}

function SettingsTable({ settings }: { readonly settings: SettingsReply['settings'] }) {
  return (
    <Table label="Settings">
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Value</th>
        </tr>
      </thead>
      <tbody>
        {settings.map(({ name, value, meaning, default: fallback }) => {
          const changed = value !== '(unset)' && value !== (fallback ?? '');
          return (
            <tr key={name}>
              <th scope="row" class="setting">
                <code>{name}</code>
                <span class="soft small-text">{meaning}</span>
              </th>
              <td>
                <code class={value === '(unset)' || value === '' ? 'soft' : ''}>
                  {value === '' ? '(none)' : value}
                </code>
                {changed && <Badge tone="accent">set</Badge>}
              </td>
            </tr>
          );
        })}
      </tbody>
    </Table>
  );
}
