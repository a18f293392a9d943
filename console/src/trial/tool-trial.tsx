import { useEffect, useRef, useState } from 'preact/hooks';
import type { Tool } from '../../../sdk/api.ts';
import { callTool, type Progress, type ToolReply } from '../api/call-tool.ts';
import type { Answer } from '../api/client.ts';
import { pythonOf, type SavedCall, typescriptOf } from '../browser/call-as-code.ts';
import { count, curlOf, ms } from '../browser/format.ts';
import { Button } from '../components/button.tsx';
import { CodeBlock } from '../components/code-block.tsx';
import { Badge } from '../components/facts.tsx';
import { ErrorNotice } from '../components/states.tsx';
import { Tabs } from '../components/tabs.tsx';
import { InputRequest } from './input-request.tsx';
import { FieldsOrJson, useParameters } from './parameter-fields.tsx';
import { ResultBlocks } from './result-blocks.tsx';

type Outcome = { readonly answer: Answer<ToolReply> } | { readonly error: Error } | null;
type Sent = SavedCall & { readonly continuation?: string; readonly input_responses?: object };

/** One call at a time, which can be left. */
function useToolCall() {
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>(null);
  const [progress, setProgress] = useState<Progress | null>(null);
  const abort = useRef(new AbortController());
  const run = async (body: Sent) => {
    abort.current = new AbortController();
    const { signal } = abort.current;
    setBusy(true);
    setProgress(null);
    try {
      const answer = await callTool(body as never, { signal, onProgress: setProgress });
      setOutcome({ answer });
    } catch (error) {
      setOutcome(signal.aborted ? null : { error: error as Error });
    }
    setBusy(false);
  };
  // Who leaves the page does not wait for it either.
  useEffect(() => () => abort.current.abort(), []);
  return {
    busy,
    outcome,
    progress,
    run,
    forget: () => setOutcome(null),
    cancel: () => abort.current.abort(),
  };
}

/** A form made of the tool's schema; it calls the tool for real, and shows the same call as code. */
export function ToolTrial(props: {
  readonly serverId: string;
  readonly tool: Tool;
  readonly queryLogId: string | null;
}) {
  const { serverId, tool, queryLogId } = props;
  const form = useParameters(tool.input_schema);
  const { busy, outcome, progress, run, forget, cancel } = useToolCall();
  const bodyOf = (values: Record<string, unknown>): SavedCall => ({
    server_id: serverId,
    name: tool.name,
    arguments: values,
    ...(queryLogId === null ? {} : { query_log_id: queryLogId }),
  });
  /** Answers belong to the call as it was made, whatever the fields say by now. */
  const made = useRef<SavedCall | null>(null);
  return (
    <div class="try">
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          const values = form.check();
          if (values === null) return;
          forget();
          made.current = bodyOf(values);
          void run(made.current);
        }}
      >
        <FieldsOrJson of={form} />
        <div class="actions">
          <Button kind="main" type="submit" icon="play" busy={busy}>
            {busy ? 'Calling' : 'Call the tool'}
          </Button>
          {busy && <Button onClick={cancel}>Cancel</Button>}
        </div>
      </form>
      {busy && <Running progress={progress} />}
      <div aria-live="polite">
        {outcome !== null &&
          ('error' in outcome ? (
            <ErrorNotice error={outcome.error} />
          ) : (
            <Result
              serverId={serverId}
              answer={outcome.answer}
              busy={busy}
              onAnswer={(continuation, input_responses) =>
                made.current !== null && void run({ ...made.current, continuation, input_responses })
              }
            />
          ))}
      </div>
      {'values' in form.read && <CallAsCode saved={bodyOf(form.read.values)} />}
    </div>
  );
}

/** Since when it runs, and how far its server says it is. */
function Running({ progress }: { readonly progress: Progress | null }) {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setSeconds((n) => n + 1), 1_000);
    return () => clearInterval(timer);
  }, []);
  const { progress: done = 0, total, message } = progress ?? {};
  return (
    <div class="running">
      {total === undefined ? (
        <progress aria-label="Progress of the call" />
      ) : (
        <progress aria-label="Progress of the call" value={done} max={total} />
      )}
      <p class="muted">
        {count(seconds, 'second')}
        {progress !== null && ` · ${done}${total === undefined ? '' : ` of ${total}`}`}
        {typeof message === 'string' && message !== '' && ` · ${message}`}
      </p>
    </div>
  );
}

function CallAsCode({ saved }: { readonly saved: SavedCall }) {
  const codes = [
    ['curl', curlOf('POST', '/v1/mcp/tools/call', saved)],
    ['TypeScript', typescriptOf(location.origin, saved)],
    ['Python', pythonOf(location.origin, saved)],
  ] as const;
  return (
    <Tabs
      label="This call as code"
      tabs={codes.map(([name, text]) => ({
        name,
        body: () => <CodeBlock label={`This call with ${name}`} text={text} />,
      }))}
    />
  );
}

function Result(props: {
  readonly serverId: string;
  readonly answer: Answer<ToolReply>;
  readonly busy: boolean;
  readonly onAnswer: (continuation: string, responses: object) => void;
}) {
  const { body, ms: elapsed } = props.answer;
  const [raw, setRaw] = useState(false);
  const asks = 'status' in body;
  const isError = !asks && body.isError;
  return (
    <section class="result" aria-label="Answer">
      <div class="result-head">
        {asks ? (
          <Badge tone="warn">asks back</Badge>
        ) : (
          <Badge tone={isError ? 'bad' : 'good'}>{isError ? 'the tool failed' : 'answered'}</Badge>
        )}
        <span>
          in <strong>{ms(elapsed)}</strong>
        </span>
        <Button small kind="quiet" onClick={() => setRaw(!raw)} expanded={raw}>
          {raw ? 'Hide JSON' : 'Show JSON'}
        </Button>
      </div>
      {asks && 'approval' in body && (
        <p>
          Somebody has to <a href={body.approval.url}>approve this call</a> first. An app then makes it again
          with the continuation in the JSON.
        </p>
      )}
      {asks && !('approval' in body) && (
        <InputRequest
          key={body.continuation}
          needed={body}
          busy={props.busy}
          onAnswer={(responses) => props.onAnswer(body.continuation, responses)}
        />
      )}
      {!asks && <ResultBlocks serverId={props.serverId} result={body} />}
      {raw && <CodeBlock label="Answer as JSON" text={JSON.stringify(body, null, 2)} />}
    </section>
  );
}
