import type { ToolsetRule } from '../../../sdk/api.ts';
import { Button } from '../components/button.tsx';
import { ChoiceField, LinesField, TextField } from '../components/fields.tsx';
import { fitsAll, othersOf, type RuleField, type RuleNote, type RuleRow } from './rule-form.ts';

const effects: readonly (readonly [value: ToolsetRule['effect'], text: string])[] = [
  ['allow', 'Allow'],
  ['ask', 'Ask'],
  ['deny', 'Deny'],
];

/** One rule of a toolset, with what the service says of it. */
export function RuleFields(props: {
  readonly row: RuleRow;
  readonly name: string;
  readonly fault: RuleNote | undefined;
  readonly warning: RuleNote | undefined;
  readonly set: (field: RuleField, value: string) => void;
  readonly remove: () => void;
}) {
  const { row, name, fault, warning, set, remove } = props;
  const { texts } = row;
  const field = (field: RuleField) => ({
    value: texts[field],
    onValue: (value: string) => set(field, value),
    error: fault?.field === field ? fault.text : undefined,
  });
  return (
    <fieldset class="card rule">
      <legend class="visually-hidden">{name}</legend>
      <div class="rule-fields">
        <ChoiceField label="Effect" options={effects} {...field('effect')} />
        <TextField label="Server" placeholder="any" {...field('server')} />
        <TextField label="Tool" placeholder="any" {...field('tool')} />
        <LinesField label="Tags" placeholder="any" {...field('tags')} />
        <LinesField label="Categories" placeholder="any" {...field('categories')} />
        <Button kind="quiet" small icon="cross" label={`Remove ${name.toLowerCase()}`} onClick={remove} />
      </div>
      {fault?.field === null && (
        <p class="hint error" role="alert">
          {fault.text}
        </p>
      )}
      {warning !== undefined && <p class="hint warn">{warning.text}</p>}
      {Object.entries(othersOf(row.kept)).map(([name, value]) => (
        <p key={name} class="hint">
          {name}: <code>{JSON.stringify(value)}</code>
        </p>
      ))}
      {fitsAll(row) && <p class="hint">It names nothing: it fits every tool of every server.</p>}
    </fieldset>
  );
}
