import { useMemo, useState } from 'preact/hooks';
import { Button } from '../components/button.tsx';
import { ChoiceField, Field, type Options } from '../components/fields.tsx';
import { boundsOf } from './argument-faults.ts';
import { argumentsOf, type Counts, type Entry, entriesOf, startOf } from './argument-form.ts';
import { type ParameterSchema, typeName } from './parameter-schema.ts';

/** What was typed into the fields of a form made of a schema, and what it means. */
export function useParameters(schema: ParameterSchema) {
  const [typed, setTyped] = useState<Readonly<Record<string, string>>>({});
  const [counts, setCounts] = useState<Counts>({});
  const [fault, setFault] = useState<{ name: string; error: string } | null>(null);
  const [json, setJson] = useState<string | null>(null);
  const entries = useMemo(() => entriesOf(schema, counts), [schema, counts]);
  const read = json === null ? argumentsOf(entries, typed) : readObject(json);
  return {
    entries,
    fault,
    read,
    textOf: (entry: Entry) => typed[entry.name] ?? startOf(entry),
    set: (name: string, text: string) => setTyped((old) => ({ ...old, [name]: text })),
    /** What is typed in place of the fields; null: the fields count. */
    json,
    setJson,
    resize: (name: string, count: number) => setCounts((old) => ({ ...old, [name]: count })),
    /** The values, or null and the fault is shown. */
    check(): Record<string, unknown> | null {
      setFault('error' in read ? read : null);
      return 'error' in read ? null : read.values;
    },
  };
}

/** Whatever a schema says, an object in JSON can be sent. */
function readObject(text: string): ReturnType<typeof argumentsOf> {
  try {
    const read = JSON.parse(text) as unknown;
    if (typeof read === 'object' && read !== null && !Array.isArray(read)) return { values: { ...read } };
  } catch {
    // As what is no object.
  }
  return { name: 'json', error: 'An object in JSON is expected.' };
}

/** The fields, or all of it as JSON: what a form cannot hold can be sent all the same. */
export function FieldsOrJson({ of }: { readonly of: ReturnType<typeof useParameters> }) {
  const { json, setJson, read, fault } = of;
  if (json === null)
    return (
      <>
        {of.entries.length === 0 && <p class="muted">Nothing to fill in.</p>}
        <ParameterFields of={of} />
        <p>
          <Button
            small
            kind="quiet"
            onClick={() => setJson(JSON.stringify('values' in read ? read.values : {}, null, 2))}
          >
            Write it as JSON
          </Button>
        </p>
      </>
    );
  return (
    <>
      <Field label="Arguments as JSON" error={fault?.name === 'json' ? fault.error : undefined}>
        {(ids) => (
          <textarea
            {...ids}
            value={json}
            rows={Math.min(20, json.split('\n').length + 1)}
            spellcheck={false}
            onInput={(event) => setJson(event.currentTarget.value)}
          />
        )}
      </Field>
      <p>
        <Button small kind="quiet" onClick={() => setJson(null)}>
          Back to the fields
        </Button>
      </p>
    </>
  );
}

export function ParameterFields({ of }: { readonly of: ReturnType<typeof useParameters> }) {
  return (
    <>
      {of.entries.map((entry) => {
        const error = of.fault?.name === entry.name ? of.fault.error : undefined;
        if (entry.kind === 'variant')
          return (
            <VariantField key={entry.name} entry={entry} onChoice={(place) => of.resize(entry.name, place)} />
          );
        return entry.kind === 'list' ? (
          <ListField
            key={entry.name}
            entry={entry}
            error={error}
            onCount={(count) => of.resize(entry.name, count)}
          />
        ) : (
          <ParameterField
            key={entry.name}
            entry={entry}
            text={of.textOf(entry)}
            error={error}
            onText={(text) => of.set(entry.name, text)}
          />
        );
      })}
    </>
  );
}

/** Entries of a list are counted from one where people read them. */
function labelOf({ path }: Entry): string {
  return path.map((member) => (typeof member === 'number' ? member + 1 : member)).join(' › ');
}

/** Which of several objects it is; its fields come after it. */
function VariantField(props: { readonly entry: Entry; readonly onChoice: (place: number) => void }) {
  const { entry, onChoice } = props;
  const names = (entry.schema.enumNames ?? []).map((name, i) => [String(i + 1), name] as const);
  const { description } = entry.schema;
  return (
    <ChoiceField
      label={labelOf(entry) || 'One of'}
      {...(description !== undefined && { hint: description })}
      value={String(entry.count)}
      options={entry.required ? names : [['0', 'not set'], ...names]}
      onValue={(place) => onChoice(Number(place))}
    />
  );
}

/** How many there are; the fields of each come after it. */
function ListField(props: {
  readonly entry: Entry;
  readonly error: string | undefined;
  readonly onCount: (count: number) => void;
}) {
  const { entry, error, onCount } = props;
  const { count, required, schema } = entry;
  const label = labelOf(entry);
  const most = schema.maxItems ?? Number.POSITIVE_INFINITY;
  const hint = [schema.description, boundsOf(schema)].filter(Boolean).join(' · ');
  return (
    <fieldset class="list-field">
      <legend>
        {label} <span class="muted">{required ? `(${count})` : `(${count}, optional)`}</span>
      </legend>
      {error !== undefined ? <p class="hint error">{error}</p> : hint !== '' && <p class="hint">{hint}</p>}
      <div class="actions">
        <Button
          small
          icon="plus"
          disabled={count >= most}
          label={`Add to ${label}`}
          onClick={() => onCount(count + 1)}
        >
          Add
        </Button>
        {count > 0 && (
          <Button small kind="quiet" label={`Remove the last of ${label}`} onClick={() => onCount(count - 1)}>
            Remove the last
          </Button>
        )}
      </div>
    </fieldset>
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
  const { kind, required, schema } = entry;
  const isLines = kind === 'json' && schema.type === 'array' && schema.items?.type === 'string';
  const form = isLines ? 'one a line, or JSON' : `JSON: ${typeName(schema)}`;
  const hint = [schema.description, kind === 'json' ? form : undefined, boundsOf(schema)]
    .filter(Boolean)
    .join(' · ');
  const on = (event: { currentTarget: { value: string } }) => onText(event.currentTarget.value);
  return (
    <Field label={labelOf(entry)} optional={!required} error={error} {...(hint === '' ? {} : { hint })}>
      {(ids) => {
        const given = { ...ids, value: text };
        const typing: object = { type: inputTypes[schema.format ?? ''] ?? 'text' };
        if (kind === 'boolean' || kind === 'choice')
          return (
            <select {...given} onChange={on}>
              {!required && <option value="">not set</option>}
              {choicesOf(entry).map(([value, name]) => (
                <option key={value} value={value}>
                  {name}
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

function choicesOf({ kind, schema }: Entry): Options {
  const values = kind === 'boolean' ? ['true', 'false'] : (schema.enum ?? []).map(String);
  return values.map((value, i) => [value, schema.enumNames?.[i] ?? value]);
}
