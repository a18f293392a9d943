import { useState } from 'preact/hooks';
import type { Webhook } from '../../../sdk/api.ts';
import { call, session } from '../api/client.ts';
import { useData } from '../api/use-data.ts';
import { count } from '../browser/format.ts';
import { Button } from '../components/button.tsx';
import { CodeBlock } from '../components/code-block.tsx';
import { Confirm } from '../components/dialog.tsx';
import { Time } from '../components/facts.tsx';
import { EmptyState, Loadable, PageHeader } from '../components/states.tsx';
import { type Column, DataTable } from '../components/table.tsx';
import { SetWebhook } from '../dialogs/set-webhook.tsx';

export function WebhooksPage() {
  const found = useData('GET /v1/identity/webhook');
  const [setting, setSetting] = useState(false);
  const [removing, setRemoving] = useState(false);
  const isSet = typeof found.data?.url === 'string';
  return (
    <>
      <PageHeader
        title="Webhooks"
        lead={`What the apps of ${session.value?.developer ?? 'this developer'} hear without asking: posted to one URL, and signed.`}
      >
        {isSet && (
          <>
            <Button onClick={() => setSetting(true)}>Change the URL</Button>
            <Button kind="danger" onClick={() => setRemoving(true)}>
              Remove
            </Button>
          </>
        )}
      </PageHeader>
      <div class="stack">
        <Loadable of={found} rows={2}>
          {(webhook) =>
            webhook.url === null ? (
              <EmptyState icon="bell" title="Events go nowhere">
                <p>Name a URL of your app, and it hears of them within seconds.</p>
                <Button kind="main" onClick={() => setSetting(true)}>
                  Set a URL
                </Button>
              </EmptyState>
            ) : (
              <Target webhook={webhook} url={webhook.url} />
            )
          }
        </Loadable>
        <section aria-labelledby="events">
          <h2 id="events">Events</h2>
          <DataTable label="Kinds of events" rows={events} keyOf={({ type }) => type} columns={columns} />
        </section>
        <section aria-labelledby="form">
          <h2 id="form">As your app receives one</h2>
          <CodeBlock label="POST" text={example} />
          <p class="muted small-text after">
            The signature is that of{' '}
            <a href="https://www.standardwebhooks.com" target="_blank" rel="noreferrer noopener">
              Standard Webhooks
            </a>
            : its libraries check it in one line. Answer 2xx, or the event comes again, under the same id, for
            three days. <a href="/docs/identity#events">More</a>
          </p>
        </section>
      </div>
      {setting && (
        <SetWebhook before={found.data?.url ?? null} onClose={() => setSetting(false)} onSet={found.reload} />
      )}
      {removing && (
        <Confirm
          title="Post no more events?"
          verb="Remove"
          onClose={() => setRemoving(false)}
          act={async () => {
            await call('DELETE /v1/identity/webhook');
            found.reload();
          }}
        >
          <p>
            Nothing is posted to <strong>{found.data?.url}</strong> any more, and events that wait are
            dropped. A URL set later has a secret of its own.
          </p>
        </Confirm>
      )}
    </>
  );
}

function Target({ webhook, url }: { readonly webhook: Webhook; readonly url: string }) {
  const { updated_at, waiting } = webhook;
  return (
    <dl class="details">
      <div>
        <dt>Events are posted to</dt>
        <dd>
          <code class="any">{url}</code>
        </dd>
      </div>
      <div>
        <dt>Set</dt>
        <dd>
          <Time at={updated_at} />
        </dd>
      </div>
      <div>
        <dt>Not heard yet</dt>
        <dd>
          {waiting === 0 ? (
            <span class="state good">
              <i aria-hidden="true" />
              Nothing waits
            </span>
          ) : (
            <span class="state warn">
              <i aria-hidden="true" />
              {count(waiting, 'event')}, posted again with growing pauses
            </span>
          )}
        </dd>
      </div>
    </dl>
  );
}

const events = [
  {
    type: 'token.reuse',
    means: 'A refresh token was used again after its successor.',
    do: 'Its session was revoked: sign the user in again, and find out who had the token.',
  },
  {
    type: 'grant.expire',
    means: 'A user’s consent at a provider is over.',
    do: 'Ask the user to connect again.',
  },
];

const columns: Column<(typeof events)[number]>[] = [
  { head: 'Type', cell: ({ type }) => <code>{type}</code> },
  { head: 'It means', cell: ({ means }) => means },
  { head: 'What to do', cell: (event) => event.do },
];

const example = `webhook-id: evt_…
webhook-timestamp: 1767225600
webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=
content-type: application/json

{"type":"grant.expire","timestamp":"2026-01-01T00:00:00.000Z","data":{"user_id":"ann","subject":"con_…"}}`;
