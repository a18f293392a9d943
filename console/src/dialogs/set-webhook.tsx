import { useState } from 'preact/hooks';
import { call } from '../api/client.ts';
import { FormDialog, SecretDialog } from '../components/dialog.tsx';
import { TextField } from '../components/fields.tsx';

export function SetWebhook(props: {
  /** The URL that is set already. */
  readonly before: string | null;
  readonly onSet: () => void;
  readonly onClose: () => void;
}) {
  const { before, onSet, onClose } = props;
  const [url, setUrl] = useState(before ?? '');
  const [secret, setSecret] = useState<string | null>(null);
  const set = async () => {
    const { body } = await call('PUT /v1/identity/webhook', { body: { url } });
    setSecret(body.secret);
  };
  if (secret !== null)
    return (
      <SecretDialog
        title="The secret that signs"
        note="It rests sealed and will never be shown again; your app needs it to check that events are ours."
        secret={secret}
        copy="Copy secret"
        onClose={onClose}
      />
    );
  return (
    <FormDialog
      title={before === null ? 'Set a URL' : 'Change the URL'}
      verb="Set and show the secret"
      act={set}
      then={onSet}
      onClose={onClose}
    >
      <TextField
        label="URL"
        hint="Of your app, reachable from here. Private addresses need MCPRANK_ALLOW_UPSTREAMS."
        type="url"
        required
        maxLength={2_000}
        placeholder="https://app.example.com/events"
        value={url}
        onValue={setUrl}
      />
      {before !== null && (
        <p class="muted">
          Events get a new secret. The earlier one signs too for a day, so that none is lost.
        </p>
      )}
    </FormDialog>
  );
}
