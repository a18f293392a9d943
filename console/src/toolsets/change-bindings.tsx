import { useState } from 'preact/hooks';
import type { ApiKey, ToolsetBindings } from '../../../sdk/api.ts';
import { call } from '../api/client.ts';
import { FormDialog } from '../components/dialog.tsx';
import { ChecksField } from '../components/fields.tsx';

/** Whom a toolset decides for, from now on: the whole list. */
export function ChangeBindings(props: {
  readonly name: string;
  readonly before: ToolsetBindings;
  readonly keys: readonly ApiKey[];
  readonly onChanged: () => void;
  readonly onClose: () => void;
}) {
  const { name, before, keys, onChanged, onClose } = props;
  const [developers, setDevelopers] = useState(before.developers);
  const [bound, setBound] = useState(before.keys);
  const bind = async () => {
    const body = { ...before, developers, keys: bound };
    await call('PUT /v1/admin/toolsets/{name}/bindings', { params: { name }, body });
    onChanged();
  };
  const known = new Set([...keys.map(({ developer }) => developer), ...before.developers]);
  // A revoked key calls no more; one that is bound stays to be seen.
  const shown = keys.filter(({ key_id, revoked_at }) => revoked_at === null || before.keys.includes(key_id));
  return (
    <FormDialog title="Change the bindings" verb="Bind" act={bind} onClose={onClose}>
      <ChecksField
        legend="Developers, with all their keys"
        options={[...known].sort().map((developer) => [developer, developer])}
        chosen={developers}
        onChange={setDevelopers}
      />
      <ChecksField
        legend="Single keys"
        options={shown.map(({ key_id, name, developer }) => [key_id, name, `of ${developer}`])}
        chosen={bound}
        onChange={setBound}
      />
    </FormDialog>
  );
}
