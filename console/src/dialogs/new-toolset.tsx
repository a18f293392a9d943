import { useState } from 'preact/hooks';
import { ApiError, call } from '../api/client.ts';
import { navigate, toolsetPath } from '../browser/router.ts';
import { FormDialog } from '../components/dialog.tsx';
import { TextField } from '../components/fields.tsx';

const blank = { name: '', title: '' };

/** A toolset without rules, bound to nothing; its page has all the rest. */
export function NewToolset({ onClose }: { readonly onClose: () => void }) {
  const [fields, setFields] = useState(blank);
  const set = (name: keyof typeof blank) => (value: string) => setFields({ ...fields, [name]: value });
  const { name, title } = fields;
  const make = async () => {
    if (await isThere(name)) throw new Error('There is a toolset of this name.');
    const body = { rules: [], ...(title !== '' && { title }) };
    await call('PUT /v1/admin/toolsets/{name}', { params: { name }, body });
  };
  return (
    <FormDialog
      title="Make a toolset"
      verb="Make the toolset"
      act={make}
      then={() => {
        onClose();
        navigate(toolsetPath(name));
      }}
      onClose={onClose}
    >
      <div class="two">
        <TextField
          label="Name"
          hint="Stable; what denied calls name."
          required
          maxLength={64}
          placeholder="mail-only"
          value={name}
          onValue={set('name')}
        />
        <TextField
          label="Title"
          optional
          hint="What people read."
          maxLength={200}
          value={title}
          onValue={set('title')}
        />
      </div>
      <p class="muted">
        It has no rules and is bound to nothing: nobody is denied anything before you bind it.
      </p>
    </FormDialog>
  );
}

/** A PUT would replace it. */
async function isThere(name: string): Promise<boolean> {
  try {
    await call('GET /v1/admin/toolsets/{name}', { params: { name } });
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return false;
    throw error;
  }
}
