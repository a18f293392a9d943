import type { ToolsetRule } from '../../../sdk/api.ts';
import { Button } from '../components/button.tsx';
import { ChoiceField, LinesField, type Options, TextField } from '../components/fields.tsx';
import {
  blankRule,
  fitsAll,
  type Judgement,
  judgements,
  type RuleField,
  type RuleNote,
  type RuleRow,
} from './rule-form.ts';

const effects: readonly (readonly [value: ToolsetRule['effect'], text: string])[] = [
  ['allow', 'Allow'],
  ['ask', 'Ask'],
  ['deny', 'Deny'],
];

const judgementNames: Readonly<Record<Judgement, string>> = {
  readOnly: 'Read-only',
  destructive: 'Destructive',
  openWorld: 'Open world',
  changed: 'Changed',
  suspicious: 'Suspicious',
  self: 'Self-approval',
};
const eitherWay: Options = [
  ['', 'any'],
  ['true', 'yes'],
  ['false', 'no'],
];
const further = ['arguments', ...judgements] as const;

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
  const faulty = fault?.field ?? null;
  const isOpen = further.some((name) => texts[name] !== blankRule[name] || name === faulty);
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
      <details class="rule-more" open={isOpen}>
        <summary>What the tool does, and its arguments</summary>
        <div class="rule-judgements">
          {judgements.map((name) => (
            <ChoiceField key={name} label={judgementNames[name]} options={eitherWay} {...field(name)} />
          ))}
        </div>
        <LinesField label="Arguments" placeholder="to prefix ann@" {...field('arguments')} />
        <p class="hint">
          One condition a line, all of which have to hold: a path, then <code>equals</code> and JSON,{' '}
          <code>prefix</code> and a text, <code>matches</code> and a regular expression, or <code>max</code>{' '}
          and a number.
        </p>
      </details>
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
