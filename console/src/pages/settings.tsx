import type { SettingsReply } from '../api/types.ts';
import { useData } from '../api/use.ts';
import { Badge, Button, Stat } from '../parts/bits.tsx';
import { bytes, duration } from '../parts/format.ts';
import { Icon } from '../parts/icons.tsx';
import { type Column, DataTable } from '../parts/list.tsx';
import { PageHead, Shown } from '../parts/states.tsx';

export function SettingsPage() {
  const found = useData<SettingsReply>('/v1/admin/settings');
  return (
    <>
      <PageHead
        title="Settings"
        lead={
          <>
            What this process runs with, as its environment variables say:{' '}
            <a href="/docs/configuration">which does what</a>.
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
                {findings.map(({ check, level, message }) => (
                  <li key={check} class={level}>
                    <Icon name={level === 'ok' ? 'check' : 'warn'} />
                    <strong>{check}</strong>
                    <span>{message}</span>
                    <Badge tone={level === 'ok' ? 'good' : level === 'warning' ? 'warn' : 'bad'}>
                      {level}
                    </Badge>
                  </li>
                ))}
              </ul>
            </section>
            <section aria-labelledby="settings">
              <h2 id="settings">Settings</h2>
              <DataTable
                label="Settings and their values"
                rows={settings}
                keyOf={({ name }) => name}
                columns={columns}
              />
            </section>
          </div>
        )}
      </Shown>
    </>
  );
}

const columns: Column<SettingsReply['settings'][number]>[] = [
  {
    head: 'Name',
    cell: ({ name, meaning }) => (
      <span class="setting">
        <code>{name}</code>
        <span class="soft small-text">{meaning}</span>
      </span>
    ),
  },
  {
    head: 'Value',
    cell: ({ value, default: fallback }) => (
      <span class="named">
        <code class={value === '(unset)' || value === '' ? 'soft' : 'any'}>
          {value === '' ? '(none)' : value}
        </code>
        {value !== '(unset)' && value !== (fallback ?? '') && <Badge tone="accent">set</Badge>}
      </span>
    ),
  },
];
