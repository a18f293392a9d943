import { useState } from 'preact/hooks';
import { call } from '../api/client.ts';
import { navigate, serverPath } from '../browser/router.ts';
import { FormDialog } from '../components/dialog.tsx';
import { ChoiceField, TextField } from '../components/fields.tsx';

const blank = {
  id: '',
  name: '',
  description: '',
  remote_url: '',
  transport: 'streamable-http',
  auth_type: '',
  header: '',
  value: '',
};

/** A remote server by hand; its tools are listed by looking at it right away. */
export function AddServer({ onClose }: { readonly onClose: () => void }) {
  const [fields, setFields] = useState(blank);
  const set = (name: keyof typeof blank) => (value: string) => setFields({ ...fields, [name]: value });
  const add = async () => {
    const { header, value, auth_type, ...rest } = fields;
    const body = {
      ...rest,
      ...(auth_type === '' ? {} : { auth_type }),
      ...(header === '' ? {} : { headers: { [header]: value } }),
    };
    await call('POST /v1/admin/servers', { body });
    // Whether it answers is the first thing its page shows; that it does not is no reason to keep it out.
    const { id } = fields;
    await call('POST /v1/admin/servers/{id}/probe', { params: { id } }).catch(() => undefined);
  };
  return (
    <FormDialog
      title="Add a server"
      verb="Add and look at it"
      act={add}
      then={() => {
        onClose();
        navigate(serverPath(fields.id));
      }}
      onClose={onClose}
    >
      <TextField
        label="URL"
        hint="Where it is reached. Private addresses need MCPRANK_ALLOW_UPSTREAMS."
        type="url"
        required
        placeholder="https://mcp.example.com/mcp"
        value={fields.remote_url}
        onValue={set('remote_url')}
      />
      <div class="two">
        <TextField
          label="Id"
          hint="Stable; what calls name."
          required
          maxLength={200}
          placeholder="com.example/mail"
          value={fields.id}
          onValue={set('id')}
        />
        <TextField
          label="Name"
          hint="What people read."
          required
          maxLength={200}
          placeholder="Example Mail"
          value={fields.name}
          onValue={set('name')}
        />
      </div>
      <TextField
        label="Description"
        hint="What it is for, in words that a search would use."
        maxLength={1_000}
        value={fields.description}
        onValue={set('description')}
      />
      <CredentialFields fields={fields} set={set} />
    </FormDialog>
  );
}

type FieldProps = {
  readonly fields: typeof blank;
  readonly set: (name: keyof typeof blank) => (value: string) => void;
};

/** How it is spoken to, and the header that says who we are, where it wants one. */
function CredentialFields({ fields, set }: FieldProps) {
  return (
    <>
      <div class="two">
        <ChoiceField
          label="Transport"
          value={fields.transport}
          options={[
            ['streamable-http', 'Streamable HTTP'],
            ['sse', 'HTTP+SSE'],
          ]}
          onValue={set('transport')}
        />
        <ChoiceField
          label="Credentials"
          value={fields.auth_type}
          options={[
            ['', 'None'],
            ['api_key', 'API key'],
            ['bearer', 'Bearer token'],
            ['oauth2', 'OAuth of the user'],
          ]}
          onValue={set('auth_type')}
        />
      </div>
      {(fields.auth_type === 'api_key' || fields.auth_type === 'bearer') && (
        <div class="two">
          <TextField
            label="Header"
            optional
            placeholder="authorization"
            value={fields.header}
            onValue={set('header')}
          />
          <TextField
            label="Value"
            optional
            hint="Sealed in the vault, never shown again."
            type="password"
            value={fields.value}
            onValue={set('value')}
          />
        </div>
      )}
    </>
  );
}
