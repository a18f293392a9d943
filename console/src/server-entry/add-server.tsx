import { useRef, useState } from 'preact/hooks';
import type { AddressFound } from '../../../sdk/api.ts';
import { call } from '../api/client.ts';
import { navigate, serverPath } from '../browser/router.ts';
import { FormDialog } from '../components/dialog.tsx';
import { ChoiceField, LinesField, TextField } from '../components/fields.tsx';
import { AddressFindings } from './address-findings.tsx';
import { HeaderFields } from './header-fields.tsx';
import { type PastedServer, parsePasted, suggestId } from './pasted-server.ts';
import { credentialKinds, transports } from './reach-choices.ts';
import { toRecord, useAddressProbe } from './use-address-probe.ts';

type Fields = Omit<PastedServer, 'name'> & {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly auth_type: string;
};
const blank: Fields = {
  url: '',
  transport: 'streamable-http',
  headers: [],
  id: '',
  name: '',
  description: '',
  auth_type: '',
};

/** What somebody pasted, filled in and looked at while they read; what they typed themselves stays. */
function useServerForm() {
  const [pasted, setPasted] = useState('');
  const [fields, setFields] = useState(blank);
  // Beside the state: what is found is found later than it was asked for.
  const typed = useRef(new Set<string>()).current;
  const suggest = (suggested: Partial<Fields>) =>
    setFields((old) => {
      const news = Object.entries(suggested).filter(([name]) => !typed.has(name));
      return { ...old, ...Object.fromEntries(news) };
    });
  const choose = ({ name, ...server }: PastedServer) =>
    suggest({ ...server, name, id: suggestId(server.url, name), auth_type: authOf(server.headers, null) });
  return {
    pasted,
    fields,
    suggest,
    choose,
    paste(text: string) {
      setPasted(text);
      const [first] = parsePasted(text)?.servers ?? [];
      if (first === undefined) suggest({ url: '', headers: [] });
      else choose(first);
    },
    set: (name: keyof Fields) => (value: Fields[typeof name]) => {
      typed.add(name);
      setFields((old) => ({ ...old, [name]: value }));
    },
  };
}

/** How calls show who they are, as far as headers or the server's own challenge tell. */
function authOf(headers: Fields['headers'], found: AddressFound | null): string {
  const names = Object.keys(toRecord(headers));
  if (names.some((name) => /^authorization$/i.test(name))) return 'bearer';
  if (names.length > 0) return 'api_key';
  return found?.auth_type ?? '';
}

/** A remote server: pasted as a URL or as a client's file has it, and probed while one looks. */
export function AddServer({ onClose }: { readonly onClose: () => void }) {
  const form = useServerForm();
  const { fields, set } = form;
  const { url: remote_url, transport, headers } = fields;
  const probing = useAddressProbe(remote_url === '' ? null : { remote_url, transport, headers }, (found) =>
    form.suggest({
      auth_type: authOf(headers, found),
      ...(found.name === null || parsePasted(form.pasted)?.servers[0]?.name !== ''
        ? {}
        : { name: found.name, id: suggestId(remote_url, found.name) }),
    }),
  );
  const add = async () => {
    const { id, name, description, auth_type } = fields;
    const sent = toRecord(headers);
    const body = {
      ...{ id, name, description, remote_url, transport },
      ...(auth_type === '' ? {} : { auth_type }),
      ...(Object.keys(sent).length === 0 ? {} : { headers: sent }),
    };
    await call('POST /v1/admin/servers', { body });
    // Whether it answers is the first thing its page shows; that it does not is no reason to keep it out.
    await call('POST /v1/admin/servers/{id}/probe', { params: { id } }).catch(() => undefined);
  };
  return (
    <FormDialog
      title="Add a server"
      verb="Add it"
      disabled={remote_url === ''}
      act={add}
      then={() => {
        onClose();
        navigate(serverPath(fields.id));
      }}
      onClose={onClose}
    >
      <PasteField form={form} />
      <AddressFindings probing={probing} />
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
        optional
        hint="What it is for, in words that a search would use."
        maxLength={1_000}
        value={fields.description}
        onValue={set('description')}
      />
      <div class="two">
        <ChoiceField label="Transport" value={transport} options={transports} onValue={set('transport')} />
        <ChoiceField
          label="Credentials"
          value={fields.auth_type}
          options={credentialKinds}
          onValue={set('auth_type')}
        />
      </div>
      {fields.auth_type !== 'oauth2' && <HeaderFields headers={headers} onChange={set('headers')} />}
    </FormDialog>
  );
}

function PasteField({ form }: { readonly form: ReturnType<typeof useServerForm> }) {
  const found = parsePasted(form.pasted);
  const { servers, programs } = found ?? { servers: [], programs: [] };
  return (
    <>
      <LinesField
        label="URL or mcp.json"
        placeholder="https://mcp.example.com/mcp"
        error={found === null ? 'Neither a URL nor the mcp.json of a client' : undefined}
        value={form.pasted}
        onValue={form.paste}
      />
      {servers.length > 1 && (
        <ChoiceField
          label="Which one"
          value={form.fields.url}
          options={servers.map(({ name, url }) => [url, name])}
          onValue={(url) => form.choose(servers.find((server) => server.url === url)!)}
        />
      )}
      {programs.length > 0 && (
        <p class="hint">
          {programs.join(', ')}: programs are started where the service runs, by <code>--mcp-config</code>.
        </p>
      )}
    </>
  );
}
