import { useMemo, useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import type { Tool, ToolReply } from '../api/types.ts';
import { Badge, Button, CodeBlock } from '../parts/bits.tsx';
import { Field } from '../parts/fields.tsx';
import { bytes, curlOf, ms, pretty } from '../parts/format.ts';
import { Failed } from '../parts/states.tsx';
import { argumentsOf, type Entry, entriesOf, startOf } from './form.ts';
import { typeName } from './tools.tsx';

type Outcome = { readonly answer: Answer<ToolReply> } | { readonly error: Error } | null;

/** A form made of the tool's schema; it calls the tool for real, and shows the same call as curl. */
export function TryTool(props: {
  readonly serverId: string;
  readonly tool: Tool;
  readonly queryLogId: string | null;
}) {
  const { serverId, tool, queryLogId } = props;
  const entries = useMemo(() => entriesOf(tool.input_schema), [tool]);
  const [texts, setTexts] = useState<Record<string, string>>(() =>
    Object.fromEntries(entries.map((entry) => [entry.name, startOf(entry)])),
  );
  const [fault, setFault] = useState<{ name: string; fault: string } | null>(null);
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
    if ('fault' in read) return setFault(read);
    setFault(null);
    setBusy(true);
    setOutcome(null);
    try {
      setOutcome({
        answer: await call<ToolReply>('POST', '/v1/mcp/tools/call', { body: body(read.values) }),
      });
    } catch (error) {
      setOutcome({ error: error as Error });
    }
    setBusy(false);
  };
  return (
    <div class="try">
      <form onSubmit={submit} noValidate>
        {entries.length === 0 && <p class="soft">Nothing to fill in.</p>}
        {entries.map((entry) => (
          <Input
            key={entry.name}
            entry={entry}
            text={texts[entry.name] ?? ''}
            fault={fault?.name === entry.name ? fault.fault : undefined}
            onText={(text) => setTexts({ ...texts, [entry.name]: text })}
          />
        ))}
        <Button kind="main" type="submit" icon="play" busy={busy}>
          {busy ? 'Calling' : 'Call the tool'}
        </Button>
      </form>
      <div aria-live="polite">
        {outcome !== null &&
          ('error' in outcome ? <Failed error={outcome.error} /> : <Result answer={outcome.answer} />)}
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
  readonly fault: string | undefined;
  readonly onText: (text: string) => void;
}) {
  const { entry, text, fault, onText } = props;
  const { name, kind, required, schema } = entry;
  const hint = [schema.description, kind === 'json' ? `JSON: ${typeName(schema)}` : undefined]
    .filter(Boolean)
    .join(' · ');
  const on = (event: { currentTarget: { value: string } }) => onText(event.currentTarget.value);
  return (
    <Field label={name} optional={!required} fault={fault} {...(hint === '' ? {} : { hint })}>
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
  const asks = body.status === 'input_required';
  return (
    <section class="result" aria-label="Answer">
      <div class="result-head">
        {asks ? (
          <Badge tone="warn">asks back</Badge>
        ) : (
          <Badge tone={body.isError === true ? 'bad' : 'good'}>
            {body.isError === true ? 'the tool failed' : 'answered'}
          </Badge>
        )}
        <span>
          in <strong>{ms(elapsed)}</strong>
        </span>
        <Button small kind="quiet" onClick={() => setRaw(!raw)} expanded={raw}>
          {raw ? 'Hide JSON' : 'Show JSON'}
        </Button>
      </div>
      {asks && (
        <p>
          The server wants more from the user before it goes on. An app answers with the continuation below.
        </p>
      )}
      {(body.content ?? []).map((block, i) => (
        <Block key={i} block={block} />
      ))}
      {(raw || asks) && <CodeBlock label="Answer as JSON" text={JSON.stringify(body, null, 2)} />}
    </section>
  );
}

function Block({ block }: { readonly block: NonNullable<ToolReply['content']>[number] }) {
  if (block.type === 'text') return <CodeBlock label="Text" text={pretty(block.text ?? '')} wrap />;
  const data = typeof block.data === 'string' ? ` of ${bytes(Math.round(block.data.length * 0.75))}` : '';
  return (
    <p class="soft">
      A block of type {block.type}
      {data}; it is in the JSON.
    </p>
  );
}
