import { useEffect, useId, useState } from 'preact/hooks';
import type { Server } from '../../../sdk/api.ts';
import { ApiError, call } from '../api/client.ts';
import { Button } from '../components/button.tsx';
import { ChecksField, LinesField, TextField } from '../components/fields.tsx';
import type { OverrideRow } from './extras-form.ts';

/** One tool: whether it is pinned, and the operator's words for it. */
export function OverrideFields(props: {
  readonly row: OverrideRow;
  readonly name: string;
  readonly set: (changed: Partial<OverrideRow>) => void;
  readonly remove: () => void;
}) {
  const { row, name, set, remove } = props;
  const tools = useToolsOf(row.server.trim());
  const list = useId();
  const isMissing = tools !== null && row.tool !== '' && !tools.includes(row.tool.trim());
  return (
    <fieldset class="card override">
      <legend class="visually-hidden">{name}</legend>
      <div class="two">
        <TextField
          label="Server"
          required
          hint="Its id, as the catalogue has it."
          value={row.server}
          onValue={(server) => set({ server })}
        />
        <TextField
          label="Tool"
          required
          hint={isMissing ? `${row.server.trim()} has no tool of that name now.` : undefined}
          list={list}
          value={row.tool}
          onValue={(tool) => set({ tool })}
        />
        <datalist id={list}>
          {tools?.map((tool) => (
            <option key={tool} value={tool} />
          ))}
        </datalist>
      </div>
      <ChecksField
        legend="At /mcp"
        options={pinning}
        chosen={row.pinned ? ['pinned'] : []}
        onChange={(chosen) => set({ pinned: chosen.includes('pinned') })}
      />
      <TextField
        label="Title"
        optional
        maxLength={200}
        value={row.title}
        onValue={(title) => set({ title })}
      />
      <LinesField
        label="Description"
        value={row.description}
        onValue={(description) => set({ description })}
      />
      <Button kind="quiet" small icon="cross" label={`Remove ${name.toLowerCase()}`} onClick={remove}>
        Remove
      </Button>
    </fieldset>
  );
}

const pinning = [
  ['pinned', 'Pinned', 'listed as it is, beside search_tools, where there are too many tools to list'],
] as const;

/** Somebody is still typing. */
const quietMs = 300;

/** The names of a server's tools; null while they are not known. */
function useToolsOf(server: string): readonly string[] | null {
  const [tools, setTools] = useState<readonly string[] | null>(null);
  useEffect(() => {
    setTools(null);
    if (server === '') return;
    const abort = new AbortController();
    const known = ({ body }: { readonly body: Server }) => setTools(body.tools.map(({ name }) => name));
    const unknown = (error: unknown) => {
      if (error instanceof ApiError && error.status === 404) setTools([]);
    };
    const timer = setTimeout(
      () =>
        void call('GET /v1/servers/{id}', { params: { id: server }, signal: abort.signal }).then(
          known,
          unknown,
        ),
      quietMs,
    );
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [server]);
  return tools;
}
