import { Button } from '../components/button.tsx';
import { TextField } from '../components/fields.tsx';
import { type Extras, type OverrideRow, withOverride } from './extras-form.ts';
import { OverrideFields } from './override-fields.tsx';

/** What one user may take of one tool in a day, the tools that are pinned, and the operator's words for tools. */
export function ExtrasFields(props: {
  readonly extras: Extras;
  readonly onExtras: (extras: Extras) => void;
}) {
  const { extras, onExtras } = props;
  const { calls, bytes, overrides } = extras;
  const change = (id: number) => (changed: Partial<OverrideRow>) =>
    onExtras({
      ...extras,
      overrides: overrides.map((row) => (row.id === id ? { ...row, ...changed } : row)),
    });
  const remove = (id: number) => () =>
    onExtras({ ...extras, overrides: overrides.filter((row) => row.id !== id) });
  return (
    <>
      <h3>Limits of a day</h3>
      <div class="two">
        <TextField
          label="Calls a day"
          optional
          hint="Of each user, or key without one, of each tool."
          value={calls}
          onValue={(value) => onExtras({ ...extras, calls: value })}
        />
        <TextField
          label="Bytes a day"
          optional
          hint="Of arguments and results, of the same."
          value={bytes}
          onValue={(value) => onExtras({ ...extras, bytes: value })}
        />
      </div>
      <h3>Tools pinned, or in your words</h3>
      {overrides.map((row, i) => (
        <OverrideFields
          key={row.id}
          row={row}
          name={`Tool ${i + 1}`}
          set={change(row.id)}
          remove={remove(row.id)}
        />
      ))}
      <p>
        <Button icon="plus" onClick={() => onExtras(withOverride(extras))}>
          Pin a tool, or say it in your words
        </Button>
      </p>
    </>
  );
}
