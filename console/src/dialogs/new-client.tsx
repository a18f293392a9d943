import { useState } from 'preact/hooks';
import type { OAuthClientRequest } from '../../../sdk/api.ts';
import { call } from '../api/client.ts';
import { FormDialog } from '../components/dialog.tsx';
import { ChoiceField, TextField } from '../components/fields.tsx';

const blank = { issuer: '', server_id: '', client_id: '', client_secret: '', auth_method: '' };

/** What an authorization server gave the operator who registered us there by hand. */
export function NewClient(props: { readonly onClose: () => void; readonly onMade: () => void }) {
  const [fields, setFields] = useState(blank);
  const set = (name: keyof typeof blank) => (value: string) => setFields({ ...fields, [name]: value });
  const keep = async () => {
    const filled = Object.entries(fields).filter(([, value]) => value !== '');
    const body = Object.fromEntries(filled) as OAuthClientRequest;
    await call('POST /v1/admin/oauth-clients', { body });
    props.onMade();
  };
  return (
    <FormDialog title="Add an OAuth client" verb="Add the client" act={keep} onClose={props.onClose}>
      <TextField
        label="Issuer"
        hint="The authorization server, to the letter of its metadata."
        type="url"
        required
        maxLength={2_000}
        placeholder="https://login.example.com"
        value={fields.issuer}
        onValue={set('issuer')}
      />
      <TextField
        label="Server id"
        optional
        hint="For one server of the catalogue; without it, for all servers of the issuer."
        maxLength={200}
        placeholder="com.example/mail"
        value={fields.server_id}
        onValue={set('server_id')}
      />
      <div class="two">
        <TextField
          label="Client id"
          required
          maxLength={2_000}
          value={fields.client_id}
          onValue={set('client_id')}
        />
        <TextField
          label="Client secret"
          optional
          type="password"
          maxLength={2_000}
          hint="Sealed in the vault, never shown again."
          value={fields.client_secret}
          onValue={set('client_secret')}
        />
      </div>
      <ChoiceField
        label="How it proves itself"
        value={fields.auth_method}
        options={methods}
        onValue={set('auth_method')}
      />
    </FormDialog>
  );
}

const methods = [
  ['', 'As the issuer’s metadata says'],
  ['client_secret_basic', 'Secret in the Authorization header (client_secret_basic)'],
  ['client_secret_post', 'Secret in the body (client_secret_post)'],
  ['none', 'Without a secret (none)'],
] as const;
