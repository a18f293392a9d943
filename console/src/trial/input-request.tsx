import { useMemo } from 'preact/hooks';
import type { InputNeeded } from '../../../sdk/api.ts';
import { Button } from '../components/button.tsx';
import { entriesOf } from './argument-form.ts';
import { ParameterFields, useParameters } from './parameter-fields.tsx';
import type { ParameterSchema } from './parameter-schema.ts';

type Responses = Record<string, Record<string, unknown>>;
type Question = {
  readonly method?: string;
  readonly params?: {
    readonly mode?: string;
    readonly message?: string;
    readonly url?: string;
    readonly requestedSchema?: ParameterSchema;
  };
};

/** What a server asks in the middle of a call, as a form: the call goes on with the answers. */
export function InputRequest(props: {
  readonly needed: InputNeeded;
  readonly busy: boolean;
  readonly onAnswer: (responses: Responses) => void;
}) {
  const questions = Object.entries(props.needed.input_requests) as [string, Question][];
  // A key of its own for each question: dots belong to the path inside one.
  const schema = useMemo(
    (): ParameterSchema => ({
      properties: Object.fromEntries(
        questions.map(([key, { params }]) => [key, params?.requestedSchema ?? {}]),
      ),
      required: questions.map(([key]) => key),
    }),
    [props.needed],
  );
  const entries = useMemo(() => entriesOf(schema).filter(({ path }) => path.length > 1), [schema]);
  const form = useParameters(entries);
  const answer = (action: 'accept' | 'decline', values: Record<string, unknown>) =>
    props.onAnswer(
      Object.fromEntries(
        questions.map(([key]) => [
          key,
          action === 'accept' ? { action, content: values[key] ?? {} } : { action },
        ]),
      ),
    );
  const isAnswerable = questions.every(([, { method }]) => method === 'elicitation/create');
  return (
    <form
      noValidate
      aria-label="The server asks"
      onSubmit={(event) => {
        event.preventDefault();
        const values = form.check();
        if (values !== null) answer('accept', values);
      }}
    >
      {questions.map(([key, { method, params }]) => (
        <p key={key}>
          <strong>{params?.message ?? `The server asks for ${method ?? 'something'}.`}</strong>{' '}
          {params?.url !== undefined && /^https?:/.test(params.url) && (
            <a href={params.url} target="_blank" rel="noreferrer">
              {params.url}
            </a>
          )}
        </p>
      ))}
      {isAnswerable ? (
        <>
          <ParameterFields entries={entries} of={form} />
          <div class="actions">
            <Button kind="main" type="submit" busy={props.busy}>
              Answer
            </Button>
            <Button onClick={() => answer('decline', {})}>Decline</Button>
          </div>
        </>
      ) : (
        <p class="muted">Only an app can answer this; it does so with the continuation below.</p>
      )}
    </form>
  );
}
