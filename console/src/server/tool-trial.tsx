import { useMemo, useState } from 'preact/hooks';
import type { ApprovalNeeded, InputNeeded, Tool, ToolResult } from '../../../sdk/api.ts';
import { type Answer, call } from '../api/client.ts';
import { bytes, curlOf, ms, pretty } from '../browser/format.ts';
import { Button } from '../components/button.tsx';
import { CodeBlock } from '../components/code-block.tsx';
import { Badge } from '../components/facts.tsx';
import { Field } from '../components/fields.tsx';
import { ErrorNotice } from '../components/states.tsx';
import { argumentsOf, type Entry, entriesOf, startOf } from './argument-form.ts';
import { typeName } from './parameter-schema.ts';

type ToolReply = ToolResult | InputNeeded | ApprovalNeeded;
type Outcome = { readonly answer: Answer<ToolReply> } | { readonly error: Error } | null;

/** A form made of the tool's schema; it calls the tool for real, and shows the same call as curl. */
export function ToolTrial(props: {
  readonly serverId: string;
  readonly tool: Tool;
  readonly queryLogId: string | null;
}) {
  const { serverId, tool, queryLogId } = props;
  const entries = useMemo(() => entriesOf(tool.input_schema), [tool]);
  const [texts, setTexts] = useState<Record<string, string>>(() =>
    Object.fromEntries(entries.map((entry) => [entry.name, startOf(entry)])),
  );
  const [invalid, setInvalid] = useState<{ name: string; error: string } | null>(null);
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>(null);
  const read = argumentsOf(entries, texts);
  const body = (values: Record<string, unknown>) => ({
    server_id: serverId,
    name: tool.name,
    arguments: values,
    ...(queryLogId === null ? {} : { query_log_id: queryLogId }),
  });
  const submit = async (event: Event) => {
    event.preventDefault();
    if ('error' in read) return setInvalid(read);
    setInvalid(null);
    setBusy(true);
    setOutcome(null);
    try {
      setOutcome({
        answer: await call('POST /v1/mcp/tools/call', { body: body(read.values) }),
      });
    } catch (error) {
      setOutcome({ error: error as Error });
    }
    setBusy(false);
  };
  return (
    <div class="try">
      <form onSubmit={submit} noValidate>
        {entries.length === 0 && <p class="muted">Nothing to fill in.</p>}
        {entries.map((entry) => (
          <Input
            key={entry.name}
            entry={entry}
            text={texts[entry.name] ?? ''}
            error={invalid?.name === entry.name ? invalid.error : undefined}
            onText={(text) => setTexts({ ...texts, [entry.name]: text })}
          />
        ))}
        <Button kind="main" type="submit" icon="play" busy={busy}>
          {busy ? 'Calling' : 'Call the tool'}
        </Button>
      </form>
      <div aria-live="polite">
        {outcome !== null &&
          ('error' in outcome ? <ErrorNotice error={outcome.error} /> : <Result answer={outcome.answer} />)}
      </div>
      {'values' in read && (
        <CodeBlock
          label="This call with curl"
          text={curlOf('POST', '/v1/mcp/tools/call', body(read.values))}
        />
      )}
    </div>
  );
}

function Input(props: {
  readonly entry: Entry;
  readonly text: string;
  readonly error: string | undefined;
  readonly onText: (text: string) => void;
}) {
  const { entry, text, error, onText } = props;
  const { name, kind, required, schema } = entry;
  const hint = [schema.description, kind === 'json' ? `JSON: ${typeName(schema)}` : undefined]
    .filter(Boolean)
    .join(' · ');
  const on = (event: { currentTarget: { value: string } }) => onText(event.currentTarget.value);
  return (
    <Field label={name} optional={!required} error={error} {...(hint === '' ? {} : { hint })}>
      {(ids) => {
        if (kind === 'boolean' || kind === 'choice') {
          const values = kind === 'boolean' ? ['true', 'false'] : (schema.enum ?? []).map(String);
          return (
            <select {...ids} value={text} onChange={on}>
              {!required && <option value="">not set</option>}
              {values.map((value) => (
                <option key={value} value={value}>
                  {value}
                </option>
              ))}
            </select>
          );
        }
        if (kind === 'json' || kind === 'long')
          return <textarea {...ids} rows={3} spellcheck={kind === 'long'} value={text} onInput={on} />;
        const numeric = kind === 'number' || kind === 'integer';
        return (
          <input
            {...ids}
            inputMode={numeric ? 'decimal' : 'text'}
            autoComplete="off"
            value={text}
            onInput={on}
          />
        );
      }}
    </Field>
  );
}

function Result({ answer }: { readonly answer: Answer<ToolReply> }) {
  const { body, ms: elapsed } = answer;
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
          with the continuation below.
        </p>
      )}
      {asks && !('approval' in body) && (
        <p>
          The server wants more from the user before it goes on. An app answers with the continuation below.
        </p>
      )}
      {(asks ? [] : body.content).map((block, i) => (
        <Block key={i} block={block} />
      ))}
      {(raw || asks) && <CodeBlock label="Answer as JSON" text={JSON.stringify(body, null, 2)} />}
    </section>
  );
}

function Block({ block }: { readonly block: ToolResult['content'][number] }) {
  if (block.type === 'text') return <CodeBlock label="Text" text={pretty(String(block.text ?? ''))} wrap />;
  const data = typeof block.data === 'string' ? ` of ${bytes(Math.round(block.data.length * 0.75))}` : '';
  return (
    <p class="muted">
      A block of type {String(block.type)}
      {data}; it is in the JSON.
    </p>
  );
}
