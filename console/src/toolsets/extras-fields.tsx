import { Button } from '../components/button.tsx';
import { LinesField, TextField } from '../components/fields.tsx';
import { type Extras, type OverrideRow, type OverrideTexts, withOverride } from './extras-form.ts';

/** What one user may take of one tool in a day, and the operator's words for tools. */
export function ExtrasFields(props: {
  readonly extras: Extras;
  readonly onExtras: (extras: Extras) => void;
}) {
  const { extras, onExtras } = props;
  const { calls, bytes, overrides } = extras;
  const change = (id: number) => (field: keyof OverrideTexts, value: string) =>
    onExtras({
      ...extras,
      overrides: overrides.map((row) => (row.id === id ? { ...row, [field]: value } : row)),
    });
  const remove = (id: number) => () =>
    onExtras({ ...extras, overrides: overrides.filter((row) => row.id !== id) });
  return (
    <>
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
      {overrides.map((row, i) => (
        <OverrideFields
          key={row.id}
          row={row}
          name={`Words ${i + 1}`}
          set={change(row.id)}
          remove={remove(row.id)}
        />
      ))}
      <p>
        <Button icon="plus" onClick={() => onExtras(withOverride(extras))}>
          Add your words for a tool
        </Button>
      </p>
    </>
  );
}

function OverrideFields(props: {
  readonly row: OverrideRow;
  readonly name: string;
  readonly set: (field: keyof OverrideTexts, value: string) => void;
  readonly remove: () => void;
}) {
  const { row, name, set, remove } = props;
  const field = (field: keyof OverrideTexts) => ({
    value: row[field],
    onValue: (value: string) => set(field, value),
  });
  return (
    <fieldset class="card override">
      <legend class="visually-hidden">{name}</legend>
      <div class="two">
        <TextField label="Server" required {...field('server')} />
        <TextField label="Tool" required {...field('tool')} />
      </div>
      <TextField label="Title" optional maxLength={200} {...field('title')} />
      <LinesField label="Description" {...field('description')} />
      <Button kind="quiet" small icon="cross" label={`Remove ${name.toLowerCase()}`} onClick={remove} />
    </fieldset>
  );
}
