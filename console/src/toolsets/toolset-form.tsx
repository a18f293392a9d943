import { useEffect, useRef, useState } from 'preact/hooks';
import type { Toolset, ToolsetRequest } from '../../../sdk/api.ts';
import { call } from '../api/client.ts';
import { useMutation } from '../api/use-mutation.ts';
import { Button } from '../components/button.tsx';
import { ChoiceField, TextField } from '../components/fields.tsx';
import { ErrorNotice } from '../components/states.tsx';
import { ExtrasFields } from './extras-fields.tsx';
import { type Extras, extrasOf, extrasRequest } from './extras-form.ts';
import { RuleFields } from './rule-fields.tsx';
import {
  blankRule,
  noteOf,
  type RuleField,
  type RuleNote,
  type RuleRow,
  type RuleTexts,
  ruleOf,
  textsOf,
} from './rule-form.ts';

/** By what was sent: a rule that is typed on is another one. */
type Notes = ReadonlyMap<RuleTexts, RuleNote>;
type Said = { readonly faults: Notes; readonly warnings: Notes; readonly version: number | null };
const nothingSaid: Said = { faults: new Map(), warnings: new Map(), version: null };

/** What a toolset is made of; a save replaces all of it. */
export function ToolsetForm(props: {
  readonly toolset: Toolset;
  readonly onSaved: (saved: Toolset) => void;
}) {
  const { toolset, onSaved } = props;
  const [title, setTitle] = useState(toolset.title ?? '');
  const [fallback, setFallback] = useState<string>(toolset.default);
  const [rows, setRows] = useState<readonly RuleRow[]>(() =>
    toolset.rules.map((rule, id) => ({ id, kept: rule, texts: textsOf(rule) })),
  );
  const [extras, setExtras] = useState(() => extrasOf(toolset));
  const [said, setSaid] = useState(nothingSaid);
  const added = useRef(rows.length);
  const form = useRef<HTMLFormElement>(null);
  // The keyboard goes to what was found wrong.
  useEffect(() => form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus(), [said]);
  const save = useMutation(async () => {
    setSaid(nothingSaid);
    try {
      const body = requestOf({ title, fallback, rows, extras });
      const { body: saved } = await call('PUT /v1/admin/toolsets/{name}', {
        params: { name: toolset.name },
        body,
      });
      setSaid({ ...nothingSaid, warnings: notesFor(rows, saved.warnings), version: saved.version });
      onSaved(saved);
    } catch (error) {
      const faults = notesFor(rows, [(error as Error).message]);
      if (faults.size === 0) throw error;
      setSaid({ ...nothingSaid, faults });
    }
  });
  const set = (id: number) => (field: RuleField, value: string) =>
    setRows(rows.map((row) => (row.id === id ? { ...row, texts: { ...row.texts, [field]: value } } : row)));
  return (
    <form
      ref={form}
      class="toolset-form"
      onSubmit={(event) => {
        event.preventDefault();
        save.run();
      }}
    >
      <div class="two">
        <TextField label="Title" optional maxLength={200} value={title} onValue={setTitle} />
        <ChoiceField label="Where no rule fits" value={fallback} options={fallbacks} onValue={setFallback} />
      </div>
      <p class="hint">
        A deny wins over an ask, and that over an allow, in whatever order they stand. In a server’s and a
        tool’s name * is any text; of tags and categories, one a line, one has to fit.
      </p>
      {rows.map((row, i) => (
        <RuleFields
          key={row.id}
          row={row}
          name={`Rule ${i + 1}`}
          fault={said.faults.get(row.texts)}
          warning={said.warnings.get(row.texts)}
          set={set(row.id)}
          remove={() => setRows(rows.filter(({ id }) => id !== row.id))}
        />
      ))}
      <p>
        <Button
          icon="plus"
          onClick={() => setRows([...rows, { id: added.current++, kept: null, texts: { ...blankRule } }])}
        >
          Add a rule
        </Button>
      </p>
      <ExtrasFields extras={extras} onExtras={setExtras} />
      {save.error !== null && <ErrorNotice error={save.error} />}
      <div class="form-foot">
        <Button kind="main" type="submit" busy={save.busy}>
          Save
        </Button>
        <span role="status" class="muted">
          {said.version !== null && `Saved as version ${said.version}`}
        </span>
      </div>
    </form>
  );
}

const fallbacks: readonly (readonly [value: Toolset['default'], text: string])[] = [
  ['allow', 'Allow'],
  ['deny', 'Deny'],
];

function requestOf(typed: {
  readonly title: string;
  readonly fallback: string;
  readonly rows: readonly RuleRow[];
  readonly extras: Extras;
}): ToolsetRequest {
  const title = typed.title.trim();
  return {
    ...(title !== '' && { title }),
    default: typed.fallback === 'allow' ? 'allow' : 'deny',
    rules: typed.rows.map(ruleOf),
    ...extrasRequest(typed.extras),
  };
}

/** What was said of the rules that were sent. */
function notesFor(rows: readonly RuleRow[], messages: readonly string[]): Notes {
  return new Map(
    messages.flatMap((message) => {
      const note = noteOf(message);
      const row = note === null ? undefined : rows[note.index];
      return note === null || row === undefined ? [] : [[row.texts, note] as const];
    }),
  );
}
