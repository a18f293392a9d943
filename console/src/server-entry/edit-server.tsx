import { useState } from 'preact/hooks';
import type { KeptServer, ServerChange } from '../../../sdk/api.ts';
import { call } from '../api/client.ts';
import { useData } from '../api/use-data.ts';
import { Button } from '../components/button.tsx';
import { Dialog, FormDialog } from '../components/dialog.tsx';
import { ChoiceField, TextField } from '../components/fields.tsx';
import { Loadable } from '../components/states.tsx';
import { HeaderFields } from './header-fields.tsx';
import type { Header } from './pasted-server.ts';
import { credentialKinds, transports } from './reach-choices.ts';
import { toRecord } from './use-address-probe.ts';

type Props = { readonly id: string; readonly onChanged: () => void; readonly onClose: () => void };

/** What is said of a server that is there; who may see it stands under Rights. */
export function EditServer(props: Props) {
  const kept = useData('GET /v1/admin/servers/{id}', { params: { id: props.id } });
  if (kept.state === 'ready') return <EditForm {...props} before={kept.data} />;
  return (
    <Dialog title="Edit the server" onClose={props.onClose}>
      <div class="dialog-body">
        <Loadable of={kept}>{() => null}</Loadable>
      </div>
    </Dialog>
  );
}

function fieldsOf(server: KeptServer) {
  return {
    name: server.name,
    description: server.description,
    remote_url: server.remote_url ?? '',
    transport: server.transport as string,
    auth_type: server.auth_type ?? '',
    category: server.category ?? '',
    tags: server.tags.join(', '),
  };
}
type Fields = ReturnType<typeof fieldsOf>;
/** By name: the value that replaces a kept one, or null that takes it away. */
type Replaced = Readonly<Record<string, string | null>>;

function EditForm({ id, before, onChanged, onClose }: Props & { readonly before: KeptServer }) {
  const [fields, setFields] = useState(() => fieldsOf(before));
  const [replaced, setReplaced] = useState<Replaced>({});
  const [added, setAdded] = useState<readonly Header[]>([]);
  const set = (name: keyof Fields) => (value: string) => setFields({ ...fields, [name]: value });
  const change = changeOf(fieldsOf(before), fields, { ...replaced, ...toRecord(added) });
  const save = async () => {
    await call('PATCH /v1/admin/servers/{id}', { params: { id }, body: change });
    // Whether it answers there, and with these: that it does not is no reason to keep the change out.
    if (change.remote_url !== undefined || change.transport !== undefined || change.headers !== undefined)
      await call('POST /v1/admin/servers/{id}/probe', { params: { id } }).catch(() => undefined);
    onChanged();
  };
  return (
    <FormDialog
      title="Edit the server"
      verb="Save"
      disabled={Object.keys(change).length === 0}
      act={save}
      onClose={onClose}
    >
      <p class="id">{id}</p>
      <WordFields fields={fields} set={set} />
      <AddressFields fields={fields} set={set} />
      {before.remote_url !== null && fields.remote_url !== before.remote_url && (
        <p class="hint">
          Its tools are listed anew from there
          {before.kept_headers.length > 0 && ', and the headers that are kept go there, too'}.
        </p>
      )}
      <KeptHeaders names={before.kept_headers} replaced={replaced} onChange={setReplaced} />
      <HeaderFields headers={added} onChange={setAdded} />
    </FormDialog>
  );
}

/** What differs from before; nothing else is sent. */
function changeOf(before: Fields, fields: Fields, headers: Replaced): ServerChange {
  const differs = (Object.keys(fields) as (keyof Fields)[]).filter((name) => fields[name] !== before[name]);
  const sent = Object.fromEntries(differs.map((name) => [name, sentOf(name, fields[name])]));
  // A value that was begun and emptied again replaces nothing.
  const said = Object.entries(headers).filter(([, value]) => value !== '');
  return { ...sent, ...(said.length > 0 && { headers: Object.fromEntries(said) }) };
}

function sentOf(name: keyof Fields, text: string): string | readonly string[] | null {
  if (name === 'tags')
    return text
      .split(',')
      .map((tag) => tag.trim())
      .filter((tag) => tag !== '');
  return text === '' && (name === 'auth_type' || name === 'category') ? null : text;
}

type Group = { readonly fields: Fields; readonly set: (name: keyof Fields) => (value: string) => void };

function WordFields({ fields, set }: Group) {
  return (
    <>
      <TextField label="Name" required maxLength={200} value={fields.name} onValue={set('name')} />
      <TextField
        label="Description"
        optional
        hint="What it is for, in words that a search would use."
        value={fields.description}
        onValue={set('description')}
      />
      <div class="two">
        <TextField
          label="Category"
          optional
          maxLength={100}
          value={fields.category}
          onValue={set('category')}
        />
        <TextField label="Tags" optional hint="With commas." value={fields.tags} onValue={set('tags')} />
      </div>
    </>
  );
}

function AddressFields({ fields, set }: Group) {
  return (
    <>
      <TextField
        label="URL"
        type="url"
        optional
        maxLength={2_000}
        value={fields.remote_url}
        onValue={set('remote_url')}
      />
      <div class="two">
        <ChoiceField
          label="Transport"
          value={fields.transport}
          options={[...transports, ...(fields.transport === 'stdio' ? [['stdio', 'Program'] as const] : [])]}
          onValue={set('transport')}
        />
        <ChoiceField
          label="Credentials"
          value={fields.auth_type}
          options={credentialKinds}
          onValue={set('auth_type')}
        />
      </div>
    </>
  );
}

function KeptHeaders(props: {
  readonly names: readonly string[];
  readonly replaced: Replaced;
  readonly onChange: (replaced: Replaced) => void;
}) {
  const { names, replaced, onChange } = props;
  if (names.length === 0) return null;
  return (
    <fieldset class="header-fields">
      <legend>Headers that are kept</legend>
      {names.map((name) => {
        const isRemoved = replaced[name] === null;
        return (
          <div class="kept" key={name}>
            <TextField
              label={name}
              type="password"
              placeholder={isRemoved ? 'removed' : 'kept; type to replace it'}
              value={replaced[name] ?? ''}
              onValue={(value) => onChange({ ...replaced, [name]: value })}
            />
            <Button
              kind="quiet"
              small
              label={isRemoved ? `Keep ${name}` : `Remove ${name}`}
              icon={isRemoved ? 'refresh' : 'cross'}
              onClick={() => onChange({ ...replaced, [name]: isRemoved ? '' : null })}
            />
          </div>
        );
      })}
    </fieldset>
  );
}
