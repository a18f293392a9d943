import { useState } from 'preact/hooks';
import { call } from '../api/client.ts';
import { Button, CodeBlock, CopyButton, Field } from '../parts/bits.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Failed } from '../parts/states.tsx';

const scopes: readonly (readonly [name: string, says: string])[] = [
  ['search', 'search and browse the catalogue'],
  ['invocations', 'record outcomes'],
  ['mcp', 'call MCP servers'],
  ['identity', 'act for users'],
  ['proxy', 'call providers as a user'],
  ['admin', 'everything on these pages'],
];

export function NewKey(props: {
  readonly onClose: () => void;
  readonly onMade: () => void;
  readonly developers: readonly string[];
}) {
  const { onClose, onMade, developers } = props;
  const [fields, setFields] = useState({ developer: '', name: '', tier: 'free', expires: '', from: '' });
  const [chosen, setChosen] = useState<readonly string[]>([
    'search',
    'invocations',
    'mcp',
    'identity',
    'proxy',
  ]);
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<Error | null>(null);
  const [made, setMade] = useState<string | null>(null);
  const set = (changed: Partial<typeof fields>) => setFields({ ...fields, ...changed });
  const make = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setFault(null);
    const { expires, from, ...rest } = fields;
    const addresses = from.split(/[\s,]+/).filter(Boolean);
    try {
      const { body } = await call<{ key: string }>('POST', '/v1/admin/keys', {
        body: {
          ...rest,
          scopes: chosen,
          ...(expires === '' ? {} : { expires_at: expires }),
          ...(addresses.length === 0 ? {} : { addresses }),
        },
      });
      setMade(body.key);
      onMade();
    } catch (error) {
      setFault(error as Error);
    }
    setBusy(false);
  };
  if (made !== null)
    return (
      <Dialog title="Your new key" onClose={onClose}>
        <div class="dialog-body">
          <p>
            <strong>Copy it now.</strong> It is kept as a digest only and will never be shown again.
          </p>
          <div class="once">
            <code data-testid="new-key">{made}</code>
            <CopyButton text={made} label="Copy key" />
          </div>
          <CodeBlock
            label="A first call"
            text={`KEY=${made}\ncurl -s '${location.origin}/v1/search' -H "X-API-Key: $KEY" \\\n  -H 'content-type: application/json' -d '{"query": "send an email"}'`}
          />
        </div>
        <div class="dialog-foot">
          <Button kind="main" onClick={onClose}>
            I have it
          </Button>
        </div>
      </Dialog>
    );
  return (
    <Dialog title="Make a key" onClose={onClose}>
      <form onSubmit={make}>
        <div class="dialog-body">
          <div class="two">
            <Field label="Developer" hint="A new name makes a new tenant.">
              {(ids) => (
                <>
                  <input
                    {...ids}
                    required
                    maxLength={100}
                    list="developers"
                    value={fields.developer}
                    onInput={(event) => set({ developer: event.currentTarget.value })}
                  />
                  <datalist id="developers">
                    {developers.map((name) => (
                      <option key={name} value={name} />
                    ))}
                  </datalist>
                </>
              )}
            </Field>
            <Field label="Name" hint="What it is for.">
              {(ids) => (
                <input
                  {...ids}
                  required
                  maxLength={100}
                  placeholder="my agent"
                  value={fields.name}
                  onInput={(event) => set({ name: event.currentTarget.value })}
                />
              )}
            </Field>
          </div>
          <div class="two">
            <Field label="Tier" hint="How many requests a minute.">
              {(ids) => (
                <>
                  <input
                    {...ids}
                    required
                    list="tiers"
                    value={fields.tier}
                    onInput={(event) => set({ tier: event.currentTarget.value })}
                  />
                  <datalist id="tiers">
                    <option value="free" />
                    <option value="pro" />
                    <option value="enterprise" />
                  </datalist>
                </>
              )}
            </Field>
            <Field label="Ends" optional>
              {(ids) => (
                <input
                  {...ids}
                  type="date"
                  value={fields.expires}
                  onInput={(event) => set({ expires: event.currentTarget.value })}
                />
              )}
            </Field>
          </div>
          <Field label="Only from" optional hint="Addresses and networks, with commas: 203.0.113.0/24.">
            {(ids) => (
              <input
                {...ids}
                spellcheck={false}
                value={fields.from}
                onInput={(event) => set({ from: event.currentTarget.value })}
              />
            )}
          </Field>
          <fieldset class="checks">
            <legend>Scopes</legend>
            {scopes.map(([name, says]) => (
              <label key={name}>
                <input
                  type="checkbox"
                  checked={chosen.includes(name)}
                  onChange={(event) =>
                    setChosen(
                      event.currentTarget.checked
                        ? [...chosen, name]
                        : chosen.filter((each) => each !== name),
                    )
                  }
                />
                <span>
                  <strong>{name}</strong> {says}
                </span>
              </label>
            ))}
          </fieldset>
          {fault !== null && <Failed error={fault} />}
        </div>
        <div class="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="main" type="submit" busy={busy} disabled={chosen.length === 0}>
            Make the key
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
