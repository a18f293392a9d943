import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { Button } from './button.tsx';
import { Icon } from './icons.tsx';

export function Field(props: {
  readonly label: string;
  readonly hint?: ComponentChildren;
  readonly optional?: boolean;
  readonly error?: string | undefined;
  readonly children: (ids: {
    id: string;
    'aria-describedby'?: string;
    'aria-invalid'?: boolean;
  }) => ComponentChildren;
}) {
  const id = useId();
  const described = props.hint !== undefined || props.error !== undefined;
  return (
    <div class="field">
      <label for={id}>
        {props.label}
        {props.optional === true && <span class="muted"> (optional)</span>}
      </label>
      {props.children({
        id,
        ...(described ? { 'aria-describedby': `${id}-hint` } : {}),
        ...(props.error === undefined ? {} : { 'aria-invalid': true }),
      })}
      {described && (
        <p id={`${id}-hint`} class={props.error === undefined ? 'hint' : 'hint error'}>
          {props.error ?? props.hint}
        </p>
      )}
    </div>
  );
}

/** A field of text; what an input knows besides may be given with it. */
export function TextField(props: {
  readonly label: string;
  readonly hint?: ComponentChildren;
  readonly optional?: boolean;
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly type?: 'text' | 'url' | 'password' | 'date';
  readonly required?: boolean;
  readonly maxLength?: number;
  readonly placeholder?: string;
  readonly list?: string;
  readonly error?: string | undefined;
}) {
  const { label, hint, optional = false, error, value, onValue, ...rest } = props;
  const input: object = rest;
  return (
    <Field label={label} hint={hint} optional={optional} error={error}>
      {(ids) => (
        <input
          autoComplete="off"
          spellcheck={false}
          {...ids}
          {...input}
          value={value}
          onInput={(event) => onValue(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

/** A list: an entry has its line. */
export function LinesField(props: {
  readonly label: string;
  readonly placeholder?: string;
  readonly error?: string | undefined;
  readonly value: string;
  readonly onValue: (value: string) => void;
}) {
  const { label, placeholder, error, value, onValue } = props;
  return (
    <Field label={label} error={error}>
      {(ids) => (
        <textarea
          {...ids}
          placeholder={placeholder}
          rows={value.split('\n').length}
          spellcheck={false}
          value={value}
          onInput={(event) => onValue(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

/** Some of several; `note` says in words what one is. */
export function ChecksField<T extends string>(props: {
  readonly legend: string;
  readonly options: readonly (readonly [value: T, name: string, note?: string])[];
  readonly chosen: readonly T[];
  readonly onChange: (chosen: readonly T[]) => void;
}) {
  const { chosen, onChange } = props;
  const toggle = (value: T, isChosen: boolean) =>
    onChange(isChosen ? [...chosen, value] : chosen.filter((each) => each !== value));
  return (
    <fieldset class="checks">
      <legend>{props.legend}</legend>
      {props.options.map(([value, name, note]) => (
        <label key={value}>
          <input
            type="checkbox"
            checked={chosen.includes(value)}
            onChange={(event) => toggle(value, event.currentTarget.checked)}
          />
          <span>
            <strong>{name}</strong> {note}
          </span>
        </label>
      ))}
    </fieldset>
  );
}

export type Options = readonly (readonly [value: string, text: string])[];

export function ChoiceField(props: {
  readonly label: string;
  readonly hint?: ComponentChildren;
  readonly value: string;
  readonly options: Options;
  readonly error?: string | undefined;
  readonly onValue: (value: string) => void;
}) {
  return (
    <Field label={props.label} hint={props.hint} error={props.error}>
      {(ids) => (
        <select {...ids} value={props.value} onChange={(event) => props.onValue(event.currentTarget.value)}>
          <Choices options={props.options} />
        </select>
      )}
    </Field>
  );
}

function Choices({ options }: { readonly options: Options }) {
  return (
    <>
      {options.map(([value, text]) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </>
  );
}

export function Select(props: {
  readonly label: string;
  readonly value: string;
  readonly options: Options;
  readonly onChange: (value: string) => void;
}) {
  return (
    <label class="inline-select">
      <span>{props.label}</span>
      <select value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
        <Choices options={props.options} />
      </select>
    </label>
  );
}

export function Segments<T extends string>(props: {
  readonly label: string;
  readonly value: T;
  readonly options: readonly (readonly [value: T, text: string])[];
  readonly onChange: (value: T) => void;
}) {
  return (
    <fieldset class="segments">
      <legend class="visually-hidden">{props.label}</legend>
      {props.options.map(([value, text]) => (
        <button
          type="button"
          key={value}
          aria-pressed={value === props.value}
          onClick={() => props.onChange(value)}
        >
          {text}
        </button>
      ))}
    </fieldset>
  );
}

/** Narrows a list as one types. */
export function TypedFilter(props: {
  readonly label: string;
  readonly value: string;
  readonly onValue: (text: string) => void;
}) {
  return (
    <label class="text-filter">
      <Icon name="search" />
      <span class="visually-hidden">{props.label}</span>
      <input
        type="search"
        placeholder={props.label}
        autoComplete="off"
        value={props.value}
        onInput={(event) => props.onValue(event.currentTarget.value)}
      />
    </label>
  );
}

/** Texts that narrow a list together, on Enter or by the button. `labels` has a label for each. */
export function FilterForm<Name extends string>(props: {
  readonly labels: Readonly<Record<Name, string>>;
  /** Those that are a day and a time. */
  readonly times?: readonly Name[];
  /** What is there from the start; of times as the browser's field has them. */
  readonly initial?: Readonly<Partial<Record<Name, string>>>;
  readonly onApply: (texts: Readonly<Record<Name, string>>) => void;
  /** Filters of other kinds, before these. */
  readonly children?: ComponentChildren;
}) {
  const names = Object.keys(props.labels) as Name[];
  const [texts, setTexts] = useState(
    () =>
      Object.fromEntries(names.map((name) => [name, props.initial?.[name] ?? ''])) as Record<Name, string>,
  );
  const kindOf = (name: Name): object =>
    props.times?.includes(name) === true ? { type: 'datetime-local' } : {};
  return (
    <search>
      <form
        class="filters"
        onSubmit={(event) => {
          event.preventDefault();
          props.onApply(texts);
        }}
      >
        {props.children}
        {names.map((name) => (
          <label key={name} class="inline-select">
            <span>{props.labels[name]}</span>
            <input
              {...kindOf(name)}
              value={texts[name]}
              autoComplete="off"
              spellcheck={false}
              onInput={(event) => setTexts({ ...texts, [name]: event.currentTarget.value })}
            />
          </label>
        ))}
        <Button type="submit">Filter</Button>
      </form>
    </search>
  );
}
