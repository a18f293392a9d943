import { useState } from 'preact/hooks';
import type { ApiKeyRequest, Scope } from '../../../sdk/api.ts';
import { call } from '../api/client.ts';
import { CodeBlock } from '../components/code-block.tsx';
import { FormDialog, SecretDialog } from '../components/dialog.tsx';
import { ChecksField, TextField } from '../components/fields.tsx';

const scopes: readonly (readonly [value: Scope, name: string, note: string])[] = [
  ['search', 'search', 'search and browse the catalogue'],
  ['invocations', 'invocations', 'record outcomes'],
  ['mcp', 'mcp', 'call MCP servers'],
  ['identity', 'identity', 'act for users'],
  ['proxy', 'proxy', 'call providers as a user'],
  ['approve', 'approve', 'approve calls, whoever makes them'],
  ['admin', 'admin', 'everything on these pages'],
];

const defaultScopes: readonly Scope[] = ['search', 'invocations', 'mcp', 'identity', 'proxy'];
const blank = { developer: '', name: '', tier: 'free', expires: '', from: '' };
type Fields = typeof blank;

export function NewKey(props: {
  readonly onClose: () => void;
  readonly onMade: () => void;
  readonly developers: readonly string[];
}) {
  const { onClose, onMade, developers } = props;
  const [fields, setFields] = useState(blank);
  const [chosen, setChosen] = useState<readonly Scope[]>(defaultScopes);
  const [made, setMade] = useState<string | null>(null);
  const make = async () => {
    const { body } = await call('POST /v1/admin/keys', { body: requestOf(fields, chosen) });
    setMade(body.key);
  };
  if (made !== null) return <NewKeySecret secret={made} onClose={onClose} />;
  return (
    <FormDialog
      title="Make a key"
      verb="Make the key"
      disabled={chosen.length === 0}
      act={make}
      then={onMade}
      onClose={onClose}
    >
      <KeyFields
        fields={fields}
        set={(name) => (value) => setFields({ ...fields, [name]: value })}
        developers={developers}
      />
      <ChecksField legend="Scopes" options={scopes} chosen={chosen} onChange={setChosen} />
    </FormDialog>
  );
}

function requestOf({ expires, from, ...rest }: Fields, chosen: readonly Scope[]): ApiKeyRequest {
  const addresses = from.split(/[\s,]+/).filter(Boolean);
  return {
    ...rest,
    scopes: chosen,
    ...(expires === '' ? {} : { expires_at: expires }),
    ...(addresses.length === 0 ? {} : { addresses }),
  };
}

function NewKeySecret({ secret, onClose }: { readonly secret: string; readonly onClose: () => void }) {
  return (
    <SecretDialog
      title="Your new key"
      note="It is kept as a digest only and will never be shown again."
      secret={secret}
      copy="Copy key"
      onClose={onClose}
    >
      <CodeBlock
        label="A first call"
        text={`KEY=${secret}\ncurl -s '${location.origin}/v1/search' -H "X-API-Key: $KEY" \\\n  -H 'content-type: application/json' -d '{"query": "send an email"}'`}
      />
    </SecretDialog>
  );
}

function KeyFields(props: {
  readonly fields: Fields;
  readonly set: (name: keyof Fields) => (value: string) => void;
  readonly developers: readonly string[];
}) {
  const { fields, set, developers } = props;
  return (
    <>
      <div class="two">
        <TextField
          label="Developer"
          hint="A new name makes a new tenant."
          required
          maxLength={100}
          list="developers"
          value={fields.developer}
          onValue={set('developer')}
        />
        <TextField
          label="Name"
          hint="What it is for."
          required
          maxLength={100}
          placeholder="my agent"
          value={fields.name}
          onValue={set('name')}
        />
      </div>
      <div class="two">
        <TextField
          label="Tier"
          hint="How many requests a minute."
          required
          list="tiers"
          value={fields.tier}
          onValue={set('tier')}
        />
        <TextField
          label="Ends"
          optional
          hint="At the start of that day, UTC."
          type="date"
          value={fields.expires}
          onValue={set('expires')}
        />
      </div>
      <TextField
        label="Only from"
        optional
        hint="Addresses and networks, with commas: 203.0.113.0/24."
        value={fields.from}
        onValue={set('from')}
      />
      <datalist id="developers">
        {developers.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <datalist id="tiers">
        <option value="free" />
        <option value="pro" />
        <option value="enterprise" />
      </datalist>
    </>
  );
}
