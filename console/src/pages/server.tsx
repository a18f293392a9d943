import { useState } from 'preact/hooks';
import type { Server } from '../../../sdk/api.ts';
import { call, may } from '../api/client.ts';
import { useData } from '../api/use-data.ts';
import { useMutation } from '../api/use-mutation.ts';
import { count, when } from '../browser/format.ts';
import { navigate, params } from '../browser/router.ts';
import { Button, CopyButton } from '../components/button.tsx';
import { Confirm } from '../components/dialog.tsx';
import { Badge, State } from '../components/facts.tsx';
import { Icon } from '../components/icons.tsx';
import { EmptyState, ErrorNotice, Loadable, PageHeader } from '../components/states.tsx';
import { Tabs } from '../components/tabs.tsx';
import { HealthHistory } from '../server/health-history.tsx';
import { OwnIcon } from '../server/own-icon.tsx';
import { ProgramOutput } from '../server/program-output.tsx';
import { ServerRights } from '../server/server-rights.tsx';
import { ToolList } from '../server/tool-list.tsx';
import { EditServer } from '../server-entry/edit-server.tsx';

export function ServerPage({ id }: { readonly id: string }) {
  const server = useData('GET /v1/servers/{id}', { params: { id } });
  if (
    server.state === 'failed' &&
    server.data === undefined &&
    /not found|no longer/i.test(server.error.message)
  )
    return (
      <>
        <PageHeader title={id} />
        <EmptyState icon="catalogue" title={server.error.message}>
          <a href="/catalogue">Back to the catalogue</a>
        </EmptyState>
      </>
    );
  return (
    <>
      <nav class="crumbs" aria-label="You are here">
        <a href="/catalogue">Catalogue</a>
        <Icon name="chevron" />
        <span>{server.data?.name ?? id}</span>
      </nav>
      {server.data === undefined && <PageHeader title={id} />}
      <Loadable of={server} rows={6}>
        {(data) => <ServerView server={data} reload={server.reload} />}
      </Loadable>
    </>
  );
}

function ServerView(props: { readonly server: Server; readonly reload: () => void }) {
  const { server, reload } = props;
  const [probes, setProbes] = useState(0);
  const suspicions = server.health?.suspicions ?? [];
  return (
    <>
      <PageHeader
        title={server.name}
        lead={server.description || undefined}
        picture={server.health?.state === 'up' && may('mcp') && <OwnIcon id={server.id} />}
      >
        {may('admin') && (
          <Admin
            id={server.id}
            reachable={server.remote_url !== null || isProgram(server)}
            isOfFile={isOfFile(server)}
            onChange={() => {
              reload();
              setProbes((n) => n + 1);
            }}
          />
        )}
      </PageHeader>
      <div class="facts">
        <State state={server.health?.state ?? null} />
        {server.verified && <Badge tone="accent">verified</Badge>}
        <Badge>{server.transport}</Badge>
        <Badge>{server.auth_type === null ? 'no credentials' : server.auth_type}</Badge>
        {server.category !== null && <Badge>{server.category}</Badge>}
        <span class="id">{server.id}</span>
        <CopyButton text={server.id} label="Copy id" />
      </div>
      {server.health != null && server.health.reason !== null && (
        <p class="muted">
          {server.health.reason}, since {when(server.health.since)}
        </p>
      )}
      {suspicions.length > 0 && (
        <div class="notice warn">
          <Icon name="warn" />
          <div>
            <p>
              <strong>Worded suspiciously.</strong> Some descriptions read as if they were meant for the model
              rather than for people. Look at them before an agent does.
            </p>
            <ul>
              {suspicions.map(({ tool, kinds }) => (
                <li key={tool}>
                  <code>{tool}</code>: {kinds.map((kind) => kind.replaceAll('_', ' ')).join(', ')}
                </li>
              ))}
            </ul>
          </div>
        </div>
      )}
      <Tabs
        label="About this server"
        tabs={[
          {
            name: `Tools (${server.tools.length})`,
            body: () => (
              <ToolList
                server={server}
                chosen={params.value.get('tool')}
                queryLogId={params.value.get('query')}
              />
            ),
          },
          {
            name: 'Health',
            body: () => <HealthHistory key={probes} id={server.id} remote={server.remote_url !== null} />,
          },
          { name: 'Details', body: () => <Details server={server} /> },
          ...(may('admin') && isProgram(server)
            ? [{ name: 'Output', body: () => <ProgramOutput id={server.id} /> }]
            : []),
          ...(may('admin') ? [{ name: 'Rights', body: () => <ServerRights id={server.id} /> }] : []),
        ]}
      />
    </>
  );
}

/** That the service starts itself. */
function isProgram({ source, remote_url }: Server): boolean {
  return source === 'config' && remote_url === null;
}

/** Of the file of --mcp-config or of mcprank apply: it is changed there. */
function isOfFile({ source }: Server): boolean {
  return source === 'config' || source === 'apply';
}

function Admin(props: {
  readonly id: string;
  readonly reachable: boolean;
  readonly isOfFile: boolean;
  readonly onChange: () => void;
}) {
  const { id, reachable, onChange } = props;
  const [removing, setRemoving] = useState(false);
  const [editing, setEditing] = useState(false);
  const probe = useMutation(() => call('POST /v1/admin/servers/{id}/probe', { params: { id } }), onChange);
  return (
    <>
      {reachable && (
        <Button icon="refresh" busy={probe.busy} onClick={probe.run}>
          Probe now
        </Button>
      )}
      {!props.isOfFile && <Button onClick={() => setEditing(true)}>Edit</Button>}
      <Button kind="danger" onClick={() => setRemoving(true)}>
        Remove
      </Button>
      {probe.error !== null && <ErrorNotice error={probe.error} />}
      {editing && <EditServer id={id} onChanged={onChange} onClose={() => setEditing(false)} />}
      {removing && (
        <Confirm
          title="Remove this server?"
          verb="Remove"
          onClose={() => setRemoving(false)}
          act={async () => {
            await call('DELETE /v1/admin/servers/{id}', { params: { id } });
            navigate('/catalogue');
          }}
        >
          <p>
            Search will not find <strong>{id}</strong> any more, and calls to it answer 410 from now on.
            Adding it again brings it back.
          </p>
        </Confirm>
      )}
    </>
  );
}

const changedIn: Readonly<Record<string, string>> = {
  config: 'the file of --mcp-config',
  apply: 'the file of mcprank apply',
};

function Details({ server }: { readonly server: Server }) {
  const rows: [string, string | null][] = [
    ['URL', server.remote_url],
    ['Repository', server.repository_url],
    ['Version', server.version],
    ['Tags', server.tags.join(', ') || 'none'],
    ['Came from', server.source],
    ...(isOfFile(server)
      ? [['Changed in', changedIn[server.source] ?? null] as [string, string | null]]
      : []),
    ['Changed', when(server.updated_at)],
    ['Tools', count(server.tools.length, 'tool')],
    ['Protocol age', server.health?.era ?? null],
    ['Fingerprint of its tools', server.health?.fingerprint ?? null],
  ];
  return (
    <dl class="details">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {name === 'Repository' && value !== null && /^https:/.test(value) ? (
              <a href={value} rel="noreferrer noopener" target="_blank">
                {value}
              </a>
            ) : (
              (value ?? <span class="muted">unknown</span>)
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}
