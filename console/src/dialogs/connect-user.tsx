import { useEffect, useState } from 'preact/hooks';
import type { ProviderSetup, SessionStatus, UserCredentials } from '../../../sdk/api.ts';
import { call } from '../api/client.ts';
import { Button, CopyButton } from '../components/button.tsx';
import { Dialog, FormDialog } from '../components/dialog.tsx';
import { ChoiceField, TextField } from '../components/fields.tsx';
import { ErrorNotice } from '../components/states.tsx';
import { GiveKey } from './give-key.tsx';

type Opened = { readonly session_id: string; readonly auth_url: string };

/**
 * Opens a session for one of one's own users; who opens its page consents, and the tokens stay here. A server that asks its users for
 * keys is given them here.
 */
export function ConnectUser(props: {
  readonly providers: readonly ProviderSetup[];
  readonly onConnected: () => void;
  readonly onClose: () => void;
}) {
  const { providers, onConnected, onClose } = props;
  const [fields, setFields] = useState({
    user: '',
    target: providers[0]?.name ?? '',
    server: '',
    scopes: '',
  });
  const [opened, setOpened] = useState<Opened | null>(null);
  const [asks, setAsks] = useState<UserCredentials | null>(null);
  const set = (name: keyof typeof fields) => (value: string) => setFields({ ...fields, [name]: value });
  const open = async () => {
    if (fields.target === '') {
      const { body } = await call('GET /v1/servers/{id}', { params: { id: fields.server } });
      if (body.user_credentials !== null) return setAsks(body.user_credentials);
    }
    const scopes = fields.scopes.split(/[\s,]+/).filter(Boolean);
    const { body } = await call('POST /v1/identity/sessions', {
      body: {
        user_id: fields.user,
        ...(fields.target === '' ? { server_id: fields.server } : { provider: fields.target }),
        ...(scopes.length > 0 && { scopes }),
      },
    });
    setOpened(body);
  };
  if (asks !== null) {
    const given = () => {
      onConnected();
      onClose();
    };
    return (
      <GiveKey user={fields.user} serverId={fields.server} asks={asks} onGiven={given} onClose={onClose} />
    );
  }
  if (opened !== null)
    return <OpenedSession opened={opened} user={fields.user} onConnected={onConnected} onClose={onClose} />;
  const usual = providers.find(({ name }) => name === fields.target)?.scopes ?? [];
  return (
    <FormDialog
      title="Connect a user"
      verb={fields.target === '' ? 'Go on' : 'Open a session'}
      act={open}
      then={() => undefined}
      onClose={onClose}
    >
      <TextField
        label="User id"
        hint="As your app names them; the connection is theirs, for your developer alone."
        required
        maxLength={200}
        value={fields.user}
        onValue={set('user')}
      />
      <ChoiceField
        label="To"
        value={fields.target}
        options={[...providers.map(({ name, title }) => [name, title] as const), ['', 'An MCP server']]}
        onValue={set('target')}
      />
      {fields.target === '' && (
        <TextField
          label="Server id"
          hint="Of the catalogue: one that wants OAuth, or a key of each user."
          required
          maxLength={200}
          value={fields.server}
          onValue={set('server')}
        />
      )}
      <TextField
        label="Scopes"
        optional
        hint={usual.length === 0 ? 'With spaces.' : `With spaces; without any: ${usual.join(' ')}`}
        value={fields.scopes}
        onValue={set('scopes')}
      />
    </FormDialog>
  );
}

/** So long an answer is waited for before it is asked for again. */
const waitSeconds = 20;

function useSession(id: string): { readonly status: SessionStatus | null; readonly error: Error | null } {
  const [status, setStatus] = useState<SessionStatus | null>(null);
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    const poll = async () => {
      for (let [state, wait] = ['pending', 0]; state === 'pending'; wait = waitSeconds) {
        const input = { params: { id }, query: { wait }, signal: abort.signal };
        const { body } = await call('GET /v1/identity/sessions/{id}', input);
        setStatus(body);
        state = body.status;
      }
    };
    poll().catch((cause: Error) => {
      if (!abort.signal.aborted) setError(cause);
    });
    return () => abort.abort();
  }, [id]);
  return { status, error };
}

function OpenedSession(props: {
  readonly opened: Opened;
  readonly user: string;
  readonly onConnected: () => void;
  readonly onClose: () => void;
}) {
  const { opened, user, onConnected, onClose } = props;
  const { status, error } = useSession(opened.session_id);
  const isOver = status !== null && status.status !== 'pending';
  useEffect(() => {
    if (status?.status === 'complete') onConnected();
  }, [status?.status]);
  return (
    <Dialog title="Connect a user" onClose={onClose}>
      <div class="dialog-body">
        {!isOver && (
          <>
            <p>
              Whoever opens this page and consents becomes <strong>{user}</strong> here. It works once, for
              ten minutes: send it to nobody else.
            </p>
            <div class="secret">
              <code>{opened.auth_url}</code>
              <CopyButton text={opened.auth_url} label="Copy the link" />
            </div>
            <p>
              <a class="button" href={opened.auth_url} target="_blank" rel="noreferrer">
                Open it here
              </a>
            </p>
          </>
        )}
        <div aria-live="polite">
          {error !== null && <ErrorNotice error={error} />}
          {status !== null && <p>{wordsOf(status, user)}</p>}
        </div>
      </div>
      <div class="dialog-foot">
        <Button kind={isOver ? 'main' : 'plain'} onClick={onClose}>
          {isOver ? 'Done' : 'Close'}
        </Button>
      </div>
    </Dialog>
  );
}

function wordsOf(
  { status, error, awaiting, account, missing_scopes: missing = [] }: SessionStatus,
  user: string,
) {
  if (awaiting === 'confirmation') return 'Your app has to confirm it with the code that the user was shown.';
  if (status === 'pending') return 'Nobody has consented yet.';
  if (status === 'error') return `It did not work: ${error ?? 'no reason was given'}.`;
  const lacking = missing.length === 0 ? '' : ` Not agreed to: ${missing.join(' ')}.`;
  return `${user} is connected${account === undefined ? '' : ` as ${account}`}.${lacking}`;
}
