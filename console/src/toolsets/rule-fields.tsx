import type { Toolset } from '../../../sdk/api.ts';
import { Button } from '../components/button.tsx';
import { ChoiceField, LinesField, type Options, TextField } from '../components/fields.tsx';
import { fitsAll, type RuleField, type RuleNote, type RuleRow } from './rule-form.ts';

export const effects: readonly (readonly [value: Toolset['default'], text: string])[] = [
  ['allow', 'Allow'],
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
        <ChoiceField label="Effect" options={optionsFor(texts.effect)} {...field('effect')} />
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
      {fitsAll(row) && <p class="hint">It names nothing: it fits every tool of every server.</p>}
    </fieldset>
  );
}

/** A rule may have an effect from elsewhere that is not to be chosen here. */
function optionsFor(effect: string): Options {
  return effects.some(([value]) => value === effect) ? effects : [...effects, [effect, effect]];
}
