import { Button } from '../components/button.tsx';
import { TextField } from '../components/fields.tsx';
import type { Header } from './pasted-server.ts';

/** Header fields that go with every request to a server: an API key, a bearer token, whatever it wants. */
export function HeaderFields(props: {
  readonly headers: readonly Header[];
  readonly onChange: (headers: readonly Header[]) => void;
}) {
  const { headers, onChange } = props;
  const set = (at: number, change: Partial<Header>) =>
    onChange(headers.map((header, i) => (i === at ? { ...header, ...change } : header)));
  return (
    <fieldset class="header-fields">
      <legend>Headers</legend>
      {headers.map((header, i) => (
        // Their order is what they are known by: names repeat while they are typed.
        <div class="two removable" key={i}>
          <TextField
            label={`Header ${i + 1}`}
            placeholder="Authorization"
            value={header.name}
            onValue={(name) => set(i, { name })}
          />
          <TextField
            label={`Value ${i + 1}`}
            type="password"
            placeholder="Bearer …"
            value={header.value}
            onValue={(value) => set(i, { value })}
          />
          <Button
            kind="quiet"
            small
            icon="cross"
            label={`Remove header ${i + 1}`}
            onClick={() => onChange(headers.filter((_each, at) => at !== i))}
          />
        </div>
      ))}
      <Button small icon="plus" onClick={() => onChange([...headers, { name: '', value: '' }])}>
        Add a header
      </Button>
      <p class="hint">
        Sealed in the vault, never shown again. A server with headers is private until you grant it.
      </p>
    </fieldset>
  );
}
