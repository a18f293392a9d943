import { useState } from 'preact/hooks';
import { call } from '../api/client.ts';
import { Button, Field } from '../parts/bits.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Failed } from '../parts/states.tsx';
import { go, serverPath } from '../shell/router.ts';

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
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<Error | null>(null);
  const set = (changed: Partial<typeof blank>) => setFields({ ...fields, ...changed });
  const add = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setFault(null);
    const { header, value, auth_type, ...rest } = fields;
    try {
      const body = {
        ...rest,
        ...(auth_type === '' ? {} : { auth_type }),
        ...(header === '' ? {} : { headers: { [header]: value } }),
      };
      await call('POST', '/v1/admin/servers', { body });
      // Whether it answers is the first thing its page shows; that it does not is no reason to keep it out.
      await call('POST', `/v1/admin/servers/${encodeURIComponent(fields.id)}/probe`).catch(() => undefined);
      onClose();
      go(serverPath(fields.id));
    } catch (error) {
      setFault(error as Error);
      setBusy(false);
    }
  };
  const text =
    (name: 'id' | 'name' | 'description' | 'remote_url' | 'header', props = {}) =>
    (ids: object) => (
      <input
        {...ids}
        {...props}
        value={fields[name]}
        onInput={(event) => set({ [name]: event.currentTarget.value })}
      />
    );
  return (
    <Dialog title="Add a server" onClose={onClose}>
      <form onSubmit={add}>
        <div class="dialog-body">
          <Field label="URL" hint="Where it is reached. Private addresses need MCPRANK_ALLOW_UPSTREAMS.">
            {text('remote_url', { type: 'url', required: true, placeholder: 'https://mcp.example.com/mcp' })}
          </Field>
          <div class="two">
            <Field label="Id" hint="Stable; what calls name.">
              {text('id', {
                required: true,
                maxLength: 200,
                placeholder: 'com.example/mail',
                spellcheck: false,
              })}
            </Field>
            <Field label="Name">
              {text('name', { required: true, maxLength: 200, placeholder: 'Example Mail' })}
            </Field>
          </div>
          <Field label="Description" hint="What it is for, in words that a search would use.">
            {text('description', { maxLength: 1000 })}
          </Field>
          <div class="two">
            <Field label="Transport">
              {(ids) => (
                <select
                  {...ids}
                  value={fields.transport}
                  onChange={(event) => set({ transport: event.currentTarget.value })}
                >
                  <option value="streamable-http">Streamable HTTP</option>
                  <option value="sse">HTTP+SSE</option>
                </select>
              )}
            </Field>
            <Field label="Credentials">
              {(ids) => (
                <select
                  {...ids}
                  value={fields.auth_type}
                  onChange={(event) => set({ auth_type: event.currentTarget.value })}
                >
                  <option value="">None</option>
                  <option value="api_key">API key</option>
                  <option value="bearer">Bearer token</option>
                  <option value="oauth2">OAuth of the user</option>
                </select>
              )}
            </Field>
          </div>
          {(fields.auth_type === 'api_key' || fields.auth_type === 'bearer') && (
            <div class="two">
              <Field label="Header" optional>
                {text('header', { placeholder: 'authorization', spellcheck: false })}
              </Field>
              <Field label="Value" optional hint="Sealed in the vault, never shown again.">
                {(ids) => (
                  <input
                    {...ids}
                    type="password"
                    autoComplete="off"
                    value={fields.value}
                    onInput={(event) => set({ value: event.currentTarget.value })}
                  />
                )}
              </Field>
            </div>
          )}
          {fault !== null && <Failed error={fault} />}
        </div>
        <div class="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="main" type="submit" busy={busy}>
            Add and look at it
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
