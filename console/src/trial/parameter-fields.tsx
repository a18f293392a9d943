import { useState } from 'preact/hooks';
import { Field } from '../components/fields.tsx';
import { argumentsOf, type Entry, startOf } from './argument-form.ts';
import { typeName } from './parameter-schema.ts';

/** What was typed into the fields of a form made of a schema, and what it means. */
export function useParameters(entries: readonly Entry[]) {
  const [texts, setTexts] = useState<Readonly<Record<string, string>>>(() =>
    Object.fromEntries(entries.map((entry) => [entry.name, startOf(entry)])),
  );
  const [fault, setFault] = useState<{ name: string; error: string } | null>(null);
  const read = argumentsOf(entries, texts);
  return {
    texts,
    fault,
    read,
    set: (name: string, text: string) => setTexts((old) => ({ ...old, [name]: text })),
    /** The values, or null and the fault is shown. */
    check(): Record<string, unknown> | null {
      setFault('error' in read ? read : null);
      return 'error' in read ? null : read.values;
    },
  };
}

export function ParameterFields({
  entries,
  of: { texts, fault, set },
}: {
  readonly entries: readonly Entry[];
  readonly of: ReturnType<typeof useParameters>;
}) {
  return (
    <>
      {entries.map((entry) => (
        <ParameterField
          key={entry.name}
          entry={entry}
          text={texts[entry.name] ?? ''}
          error={fault?.name === entry.name ? fault.error : undefined}
          onText={(text) => set(entry.name, text)}
        />
      ))}
    </>
  );
}

/** What a browser has a field of its own for. */
const inputTypes: Readonly<Record<string, 'email' | 'url' | 'date'>> = {
  email: 'email',
  uri: 'url',
  date: 'date',
};

function ParameterField(props: {
  readonly entry: Entry;
  readonly text: string;
  readonly error: string | undefined;
  readonly onText: (text: string) => void;
}) {
  const { entry, text, error, onText } = props;
  const { path, kind, required, schema } = entry;
  const hint = [schema.description, kind === 'json' ? `JSON: ${typeName(schema)}` : undefined]
    .filter(Boolean)
    .join(' · ');
  const on = (event: { currentTarget: { value: string } }) => onText(event.currentTarget.value);
  return (
    <Field label={path.join(' › ')} optional={!required} error={error} {...(hint === '' ? {} : { hint })}>
      {(ids) => {
        const given = { ...ids, value: text };
        const typing: object = { type: inputTypes[schema.format ?? ''] ?? 'text' };
        if (kind === 'boolean' || kind === 'choice')
          return (
            <select {...given} onChange={on}>
              {!required && <option value="">not set</option>}
              {choicesOf(entry).map((value) => (
                <option key={value} value={value}>
                  {value}
                </option>
              ))}
            </select>
          );
        if (kind === 'json' || kind === 'long')
          return <textarea {...given} rows={3} spellcheck={kind === 'long'} onInput={on} />;
        return (
          <input
            {...given}
            {...typing}
            inputMode={kind === 'text' ? 'text' : 'decimal'}
            autoComplete="off"
            onInput={on}
          />
        );
      }}
    </Field>
  );
}

function choicesOf({ kind, schema }: Entry): readonly string[] {
  return kind === 'boolean' ? ['true', 'false'] : (schema.enum ?? []).map(String);
}
