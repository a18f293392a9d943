import { useState } from 'preact/hooks';
import type { Scope } from '../../../sdk/api.ts';
import { call } from '../api/client.ts';
import { CodeBlock } from '../components/code-block.tsx';
import { FormDialog, SecretDialog } from '../components/dialog.tsx';
import { TextField } from '../components/fields.tsx';

const scopes: readonly (readonly [name: Scope, note: string])[] = [
  ['search', 'search and browse the catalogue'],
  ['invocations', 'record outcomes'],
  ['mcp', 'call MCP servers'],
  ['identity', 'act for users'],
  ['proxy', 'call providers as a user'],
  ['admin', 'everything on these pages'],
];

const blank = { developer: '', name: '', tier: 'free', expires: '', from: '' };

export function NewKey(props: {
  readonly onClose: () => void;
  readonly onMade: () => void;
  readonly developers: readonly string[];
}) {
  const { onClose, onMade, developers } = props;
  const [fields, setFields] = useState(blank);
  const [chosen, setChosen] = useState<readonly Scope[]>([
    'search',
    'invocations',
    'mcp',
    'identity',
    'proxy',
  ]);
  const [made, setMade] = useState<string | null>(null);
  const set = (name: keyof typeof blank) => (value: string) => setFields({ ...fields, [name]: value });
  const make = async () => {
    const { expires, from, ...rest } = fields;
    const addresses = from.split(/[\s,]+/).filter(Boolean);
    const { body } = await call('POST /v1/admin/keys', {
      body: {
        ...rest,
        scopes: chosen,
        ...(expires === '' ? {} : { expires_at: expires }),
        ...(addresses.length === 0 ? {} : { addresses }),
      },
    });
    setMade(body.key);
  };
  if (made !== null)
    return (
      <SecretDialog
        title="Your new key"
        note="It is kept as a digest only and will never be shown again."
        secret={made}
        copy="Copy key"
        onClose={onClose}
      >
        <CodeBlock
          label="A first call"
          text={`KEY=${made}\ncurl -s '${location.origin}/v1/search' -H "X-API-Key: $KEY" \\\n  -H 'content-type: application/json' -d '{"query": "send an email"}'`}
        />
      </SecretDialog>
    );
  return (
    <FormDialog
      title="Make a key"
      verb="Make the key"
      disabled={chosen.length === 0}
      act={make}
      then={onMade}
      onClose={onClose}
    >
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
      <fieldset class="checks">
        <legend>Scopes</legend>
        {scopes.map(([name, note]) => (
          <label key={name}>
            <input
              type="checkbox"
              checked={chosen.includes(name)}
              onChange={(event) =>
                setChosen(
                  event.currentTarget.checked ? [...chosen, name] : chosen.filter((each) => each !== name),
                )
              }
            />
            <span>
              <strong>{name}</strong> {note}
            </span>
          </label>
        ))}
      </fieldset>
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
    </FormDialog>
  );
}
