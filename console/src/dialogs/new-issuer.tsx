import { useState } from 'preact/hooks';
import { call } from '../api/client.ts';
import { FormDialog } from '../components/dialog.tsx';
import { TextField } from '../components/fields.tsx';

const blank = { issuer: '', audience: '', jwks_uri: '', user_prefix: '' };

export function NewIssuer(props: { readonly onClose: () => void; readonly onMade: () => void }) {
  const [fields, setFields] = useState(blank);
  const set = (name: keyof typeof blank) => (value: string) => setFields({ ...fields, [name]: value });
  const trust = async () => {
    await call('POST /v1/identity/issuers', { body: fields });
    props.onMade();
  };
  return (
    <FormDialog title="Trust an issuer" verb="Trust it" act={trust} onClose={props.onClose}>
      <TextField
        label="Issuer"
        hint="What its tokens say in iss, to the letter."
        type="url"
        required
        maxLength={500}
        placeholder="https://login.example.com"
        value={fields.issuer}
        onValue={set('issuer')}
      />
      <TextField
        label="Key set"
        hint="Where its public keys are (jwks_uri). Private addresses need MCPRANK_ALLOW_UPSTREAMS."
        type="url"
        required
        maxLength={500}
        placeholder="https://login.example.com/jwks"
        value={fields.jwks_uri}
        onValue={set('jwks_uri')}
      />
      <div class="two">
        <TextField
          label="Audience"
          hint="What its tokens say in aud."
          required
          maxLength={500}
          placeholder="my-app"
          value={fields.audience}
          onValue={set('audience')}
        />
        <TextField
          label="Prefix of users"
          optional
          hint="A second issuer needs one of its own."
          maxLength={64}
          placeholder="okta:"
          value={fields.user_prefix}
          onValue={set('user_prefix')}
        />
      </div>
    </FormDialog>
  );
}
