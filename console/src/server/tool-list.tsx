import { useEffect, useRef, useState } from 'preact/hooks';
import type { Server, Tool } from '../../../sdk/api.ts';
import { may } from '../api/client.ts';
import { Button } from '../components/button.tsx';
import { CodeBlock } from '../components/code-block.tsx';
import { Badge } from '../components/facts.tsx';
import { TypedFilter } from '../components/fields.tsx';
import { Icon } from '../components/icons.tsx';
import { EmptyState } from '../components/states.tsx';
import {
  type ParameterSchema,
  resolved,
  typeName,
  variantName,
  variantsOf,
} from '../trial/parameter-schema.ts';
import { ToolTrial } from '../trial/tool-trial.tsx';

export function ToolList(props: {
  readonly server: Server;
  readonly chosen: string | null;
  readonly queryLogId: string | null;
}) {
  const { server, chosen, queryLogId } = props;
  const [text, setText] = useState('');
  if (server.tools.length === 0)
    return (
      <EmptyState icon="catalogue" title="No tools are known">
        {server.remote_url === null
          ? 'Its tools become known once it is started with mcprank serve --mcp-config.'
          : 'They are listed with the first look that finds it alive and open.'}
      </EmptyState>
    );
  const wanted = text.trim().toLowerCase();
  const shown = server.tools.filter(({ name, description }) =>
    `${name} ${description}`.toLowerCase().includes(wanted),
  );
  return (
    <>
      {server.tools.length > 8 && <TypedFilter label="Filter tools" value={text} onValue={setText} />}
      {shown.length === 0 && <EmptyState icon="search" title="No tool is called or described like that" />}
      <ul class="tool-list">
        {shown.map((tool) => (
          <ToolItem
            key={tool.name}
            serverId={server.id}
            tool={tool}
            open={tool.name === chosen}
            queryLogId={queryLogId}
          />
        ))}
      </ul>
    </>
  );
}

function ToolItem(props: {
  readonly serverId: string;
  readonly tool: Tool;
  readonly open: boolean;
  readonly queryLogId: string | null;
}) {
  const { serverId, tool } = props;
  const [open, setOpen] = useState(props.open);
  const [trying, setTrying] = useState(false);
  const ref = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (props.open) ref.current?.scrollIntoView({ block: 'center' });
  }, []);
  return (
    <li class="card tool" ref={ref}>
      <h2>
        <button type="button" class="tool-head" aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon name="chevron" />
          <code>{tool.name}</code>
          <span class="tool-line">{open ? '' : tool.description}</span>
        </button>
      </h2>
      {open && (
        <div class="tool-body">
          {tool.description !== '' && <p class="prose-text">{tool.description}</p>}
          <Parameters schema={tool.input_schema} />
          {may('mcp') && !trying && (
            <Button kind="main" icon="play" onClick={() => setTrying(true)}>
              Try it
            </Button>
          )}
          {trying && <ToolTrial serverId={serverId} tool={tool} queryLogId={props.queryLogId} />}
          <details class="raw">
            <summary>Schema as JSON</summary>
            <CodeBlock label="input_schema" text={JSON.stringify(tool.input_schema, null, 2)} />
          </details>
        </div>
      )}
    </li>
  );
}

function Parameters({ schema }: { readonly schema: ParameterSchema }) {
  const { properties = {}, required = [], ...said } = resolved(schema, schema);
  const entries = Object.entries(properties);
  const variants = variantsOf(said, schema);
  if (entries.length === 0 && variants.length > 0)
    return <p class="muted">Takes one of these: {variants.map(variantName).join('; ')}.</p>;
  if (entries.length === 0) return <p class="muted">Takes no parameters.</p>;
  return (
    <dl class="params">
      {entries.map(([name, given]) => {
        const each = resolved(given, schema);
        return (
          <div key={name}>
            <dt>
              <code>{name}</code>
              <span class="muted">{typeName(each)}</span>
              {required.includes(name) && <Badge tone="accent">required</Badge>}
            </dt>
            {each.description !== undefined && <dd>{each.description}</dd>}
          </div>
        );
      })}
    </dl>
  );
}
