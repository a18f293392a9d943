import { useState } from 'preact/hooks';
import { call, may } from '../api/client.ts';
import type { WholeServer } from '../api/types.ts';
import { useData, useDeed } from '../api/use.ts';
import { Badge, Button, CopyButton, State } from '../parts/bits.tsx';
import { Confirm } from '../parts/dialog.tsx';
import { count, when } from '../parts/format.ts';
import { Icon } from '../parts/icons.tsx';
import { Empty, Failed, PageHead, Shown } from '../parts/states.tsx';
import { Tabs } from '../parts/tabs.tsx';
import { HealthTab } from '../server/health.tsx';
import { ToolList } from '../server/tools.tsx';
import { go, params } from '../shell/router.ts';

export function ServerPage({ id }: { readonly id: string }) {
  const path = `/v1/servers/${encodeURIComponent(id)}`;
  const server = useData<WholeServer>(path);
  if (
    server.state === 'failed' &&
    server.data === undefined &&
    /not found|no longer/i.test(server.error.message)
  )
    return (
      <>
        <PageHead title={id} />
        <Empty icon="catalogue" title={server.error.message}>
          <a href="/catalogue">Back to the catalogue</a>
        </Empty>
      </>
    );
  return (
    <>
      <nav class="crumbs" aria-label="You are here">
        <a href="/catalogue">Catalogue</a>
        <Icon name="chevron" />
        <span>{server.data?.name ?? id}</span>
      </nav>
      {server.data === undefined && <PageHead title={id} />}
      <Shown of={server} rows={6}>
        {(data) => <Whole server={data} path={path} reload={server.reload} />}
      </Shown>
    </>
  );
}

function Whole(props: { readonly server: WholeServer; readonly path: string; readonly reload: () => void }) {
  const { server, path, reload } = props;
  const [looks, setLooks] = useState(0);
  const suspicions = server.health?.suspicions ?? [];
  return (
    <>
      <PageHead title={server.name} lead={server.description || undefined}>
        {may('admin') && (
          <Admin
            id={server.id}
            reachable={server.remote_url !== null}
            onLook={() => {
              reload();
              setLooks((n) => n + 1);
            }}
          />
        )}
      </PageHead>
      <div class="facts">
        <State state={server.health?.state ?? null} />
        {server.verified && <Badge tone="accent">verified</Badge>}
        <Badge>{server.transport}</Badge>
        <Badge>{server.auth_type === null ? 'no credentials' : server.auth_type}</Badge>
        {server.category !== null && <Badge>{server.category}</Badge>}
        <span class="id">{server.id}</span>
        <CopyButton text={server.id} label="Copy id" />
      </div>
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
            body: () => <HealthTab key={looks} path={`${path}/health`} remote={server.remote_url !== null} />,
          },
          { name: 'Details', body: () => <Details server={server} /> },
        ]}
      />
    </>
  );
}

function Admin(props: { readonly id: string; readonly reachable: boolean; readonly onLook: () => void }) {
  const { id, reachable, onLook } = props;
  const [removing, setRemoving] = useState(false);
  const path = `/v1/admin/servers/${encodeURIComponent(id)}`;
  const look = useDeed(() => call('POST', `${path}/probe`), onLook);
  return (
    <>
      {reachable && (
        <Button icon="refresh" busy={look.busy} onClick={look.run}>
          Look now
        </Button>
      )}
      <Button kind="danger" onClick={() => setRemoving(true)}>
        Remove
      </Button>
      {look.fault !== null && <Failed error={look.fault} />}
      {removing && (
        <Confirm
          title="Remove this server?"
          verb="Remove"
          onClose={() => setRemoving(false)}
          act={async () => {
            await call('DELETE', path);
            go('/catalogue');
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

function Details({ server }: { readonly server: WholeServer }) {
  const rows: [string, string | null][] = [
    ['URL', server.remote_url],
    ['Repository', server.repository_url],
    ['Version', server.version],
    ['Tags', server.tags.join(', ') || 'none'],
    ['Came from', server.source],
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
              (value ?? <span class="soft">unknown</span>)
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}
