import { useMemo } from 'preact/hooks';
import type { InputNeeded } from '../../../sdk/api.ts';
import { Button } from '../components/button.tsx';
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
  const schema = useMemo((): ParameterSchema => {
    const asked = questions.flatMap(([key, { params }]) =>
      Object.keys(params?.requestedSchema?.properties ?? {}).length === 0
        ? []
        : [[key, params?.requestedSchema]],
    );
    return { properties: Object.fromEntries(asked), required: asked.map(([key]) => key as string) };
  }, [props.needed]);
  const form = useParameters(schema);
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
          <ParameterFields of={form} />
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
