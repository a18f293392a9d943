import type { Setting } from '../../../sdk/api.ts';
import { LongWorkList } from '../activity/long-work.tsx';
import { useData } from '../api/use-data.ts';
import { bytes, duration } from '../browser/format.ts';
import { Button } from '../components/button.tsx';
import { Badge, Stat } from '../components/facts.tsx';
import { Icon } from '../components/icons.tsx';
import { Loadable, PageHeader } from '../components/states.tsx';
import { type Column, DataTable } from '../components/table.tsx';

export function SettingsPage() {
  const found = useData('GET /v1/admin/settings');
  return (
    <>
      <PageHeader
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
      </PageHeader>
      <Loadable of={found}>
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
            <section aria-labelledby="work">
              <h2 id="work">Work that takes its time</h2>
              <LongWorkList />
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
      </Loadable>
    </>
  );
}

const columns: Column<Setting>[] = [
  {
    head: 'Name',
    cell: ({ name, meaning }) => (
      <span class="setting">
        <code>{name}</code>
        <span class="muted small-text">{meaning}</span>
      </span>
    ),
  },
  {
    head: 'Value',
    cell: ({ value, default: fallback }) => (
      <span class="named">
        <code class={value === '(unset)' || value === '' ? 'muted' : 'any'}>
          {value === '' ? '(none)' : value}
        </code>
        {value !== '(unset)' && value !== (fallback ?? '') && <Badge tone="accent">set</Badge>}
      </span>
    ),
  },
];
