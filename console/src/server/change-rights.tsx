import { useRef, useState } from 'preact/hooks';
import type { ServerRights } from '../../../sdk/api.ts';
import { call } from '../api/client.ts';
import { useNames } from '../api/use-names.ts';
import { Button } from '../components/button.tsx';
import { FormDialog } from '../components/dialog.tsx';
import { ChoiceField, TextField } from '../components/fields.tsx';

type GrantRow = ServerRights['granted'][number] & { readonly row: number };

/** Who may see a server from now on: all of it is said again. */
export function ChangeRights(props: {
  readonly id: string;
  readonly before: ServerRights;
  readonly onChanged: () => void;
  readonly onClose: () => void;
}) {
  const { id, before, onChanged, onClose } = props;
  const { developers } = useNames();
  const [visibility, setVisibility] = useState<string>(before.visibility);
  const [developer, setDeveloper] = useState(before.developer);
  const [grants, setGrants] = useState<readonly GrantRow[]>(() =>
    before.granted.map((grant, row) => ({ ...grant, row })),
  );
  const added = useRef(grants.length);
  const change = async () => {
    const granted = grants.map(({ developer, credentials }) => ({ developer, credentials }));
    const body = { visibility: visibility as ServerRights['visibility'], developer, granted };
    await call('PUT /v1/admin/servers/{id}/rights', { params: { id }, body });
    onChanged();
  };
  return (
    <FormDialog title="Who may see it" verb="Set" act={change} onClose={onClose}>
      <div class="two">
        <ChoiceField
          label="Visibility"
          value={visibility}
          options={[
            ['public', 'Public: everybody'],
            ['private', 'Private: its owner and the granted'],
          ]}
          onValue={setVisibility}
        />
        <TextField
          label="Owner"
          hint="A developer; always sees it."
          required
          maxLength={100}
          list="owners"
          value={developer}
          onValue={setDeveloper}
        />
      </div>
      {grants.map((grant, i) => (
        <Grant
          key={grant.row}
          name={`Grant ${i + 1}`}
          grant={grant}
          set={(changed) =>
            setGrants(grants.map((each) => (each.row === grant.row ? { ...each, ...changed } : each)))
          }
          remove={() => setGrants(grants.filter(({ row }) => row !== grant.row))}
        />
      ))}
      <p>
        <Button
          icon="plus"
          onClick={() => setGrants([...grants, { developer: '', credentials: false, row: added.current++ }])}
        >
          Grant it to another
        </Button>
      </p>
      <datalist id="owners">
        {developers.map(([id, name]) => (
          <option key={id} value={name} />
        ))}
      </datalist>
    </FormDialog>
  );
}

function Grant(props: {
  readonly name: string;
  readonly grant: GrantRow;
  readonly set: (changed: Partial<GrantRow>) => void;
  readonly remove: () => void;
}) {
  const { name, grant, set, remove } = props;
  return (
    <fieldset class="grant">
      <legend class="visually-hidden">{name}</legend>
      <TextField
        label="Granted to"
        hint="A developer; * is everybody."
        required
        maxLength={100}
        list="owners"
        value={grant.developer}
        onValue={(developer) => set({ developer })}
      />
      <Button kind="quiet" small icon="cross" label={`Remove ${name.toLowerCase()}`} onClick={remove} />
      <div class="checks">
        <label>
          <input
            type="checkbox"
            checked={grant.credentials}
            onChange={(event) => set({ credentials: event.currentTarget.checked })}
          />
          <span>
            <strong>With credentials</strong> their calls carry the headers kept for it
          </span>
        </label>
      </div>
    </fieldset>
  );
}
