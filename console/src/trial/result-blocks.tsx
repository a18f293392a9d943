import { useState } from 'preact/hooks';
import type { ToolResult } from '../../../sdk/api.ts';
import { call } from '../api/client.ts';
import { useMutation } from '../api/use-mutation.ts';
import { save } from '../browser/download.ts';
import { bytes, pretty } from '../browser/format.ts';
import { bytesOf, useObjectUrl } from '../browser/object-url.ts';
import { type Rows, rowsOf } from '../browser/structured-rows.ts';
import { Button } from '../components/button.tsx';
import { CodeBlock, mostShown } from '../components/code-block.tsx';
import { ErrorNotice } from '../components/states.tsx';
import { Table } from '../components/table.tsx';
import { readMarkdown } from './markdown.ts';
import { MarkdownView } from './markdown-view.tsx';
import { contentsOf, type Resource, resourceOf } from './resource.ts';

type Block = ToolResult['content'][number];

const mostBlocks = 100;

/** A result as people see it: pictures and sounds, links, resources, and what has a structure as a table. */
export function ResultBlocks(props: { readonly serverId: string; readonly result: ToolResult }) {
  const { serverId, result } = props;
  const rows = rowsOf(result.structuredContent);
  return (
    <>
      {result.content.slice(0, mostBlocks).map((block, i) => (
        <ResultBlock key={i} serverId={serverId} block={block} number={i + 1} of={result.content.length} />
      ))}
      {result.content.length > mostBlocks && (
        <p class="muted">
          The first {mostBlocks} of {result.content.length}; all are in the JSON.
        </p>
      )}
      {rows !== null && <ValueTable rows={rows} />}
    </>
  );
}

function ResultBlock(props: {
  readonly serverId: string;
  readonly block: Block;
  readonly number: number;
  readonly of: number;
}) {
  const { block, number } = props;
  const label = props.of === 1 ? 'Text' : `Text ${number} of ${props.of}`;
  const { type, text, data, mimeType, resource, uri } = block as Block & Record<string, unknown>;
  if (type === 'text') return <TextBlock label={label} text={String(text ?? '')} />;
  if ((type === 'image' || type === 'audio') && typeof data === 'string')
    return <Media data={data} mimeType={String(mimeType)} name={`${type}-${number}`} />;
  if (type === 'resource_link' && typeof uri === 'string')
    return <ResourceLink serverId={props.serverId} block={block} uri={uri} />;
  if (type === 'resource') return <EmbeddedResource resource={resourceOf(resource)} />;
  return <p class="muted">A block of type {String(type)}; it is in the JSON.</p>;
}

/** Words with marks as they are meant, and as they came. */
function TextBlock({ label, text }: { readonly label: string; readonly text: string }) {
  const blocks = text.length > mostShown ? null : readMarkdown(text);
  if (blocks === null) return <CodeBlock label={label} text={pretty(text)} wrap />;
  return (
    <>
      <MarkdownView blocks={blocks} />
      <details class="raw">
        <summary>As it came</summary>
        <CodeBlock label={label} text={text} wrap />
      </details>
    </>
  );
}

/** What no page shows is saved, and opened by whoever wants to. */
function Unshown(props: { readonly data: string; readonly caption: string; readonly name: string }) {
  const { data, caption, name } = props;
  const found = bytesOf(data);
  return (
    <p class="muted">
      {caption}{' '}
      {found === null ? (
        'that is no base64; it is in the JSON.'
      ) : (
        <Button small onClick={() => save(new Blob([found], { type: 'application/octet-stream' }), name)}>
          Save
        </Button>
      )}
    </p>
  );
}

function Media(props: { readonly data: string; readonly mimeType: string; readonly name: string }) {
  const { data, mimeType } = props;
  const url = useObjectUrl(data, mimeType);
  const size = bytes(Math.round(data.length * 0.75));
  const caption = `${mimeType}, ${size}`;
  if (url === null) return <Unshown data={data} caption={caption} name={props.name} />;
  return (
    <figure>
      {mimeType.startsWith('image/') ? (
        <img src={url} alt="What the tool answered" />
      ) : (
        // biome-ignore lint/a11y/useMediaCaption: a tool's sound has none
        <audio src={url} controls aria-label="What the tool answered" />
      )}
      <figcaption class="muted">{caption}</figcaption>
    </figure>
  );
}

/** A web page is a link; anything else is read from the server that names it. */
function ResourceLink(props: { readonly serverId: string; readonly block: Block; readonly uri: string }) {
  const { serverId, block, uri } = props;
  const { name, title, description } = block as Record<string, unknown>;
  const label = String(title ?? name ?? uri);
  const [contents, setContents] = useState<readonly Resource[] | null>(null);
  const reading = useMutation(async () => {
    const body = { server_id: serverId, method: 'resources/read', params: { uri } };
    const { result, error } = (await call('POST /v1/mcp/call', { body })).body;
    if (error !== undefined) throw new Error(error.message);
    setContents(contentsOf(result));
  });
  return (
    <>
      <p>
        {/^https?:\/\//.test(uri) ? (
          <a href={uri} target="_blank" rel="noreferrer">
            {label}
          </a>
        ) : (
          <>
            {label} <code>{uri}</code>{' '}
            <Button small busy={reading.busy} label={`Read ${label}`} onClick={reading.run}>
              Read
            </Button>
          </>
        )}{' '}
        {typeof description === 'string' && <span class="muted">{description}</span>}
      </p>
      {reading.error !== null && <ErrorNotice error={reading.error} />}
      {contents?.map((resource, i) => (
        <EmbeddedResource key={i} resource={resource} />
      ))}
    </>
  );
}

function EmbeddedResource({ resource }: { readonly resource: Resource }) {
  const { uri, mimeType, text, blob } = resource;
  if (text !== undefined) return <TextBlock label={uri} text={text} />;
  if (blob === undefined) return <p class="muted">{uri} is neither text nor a file; it is in the JSON.</p>;
  const name = uri.split(/[\\/]/).at(-1) || 'resource';
  return (
    <>
      <p>
        <code>{uri}</code>
      </p>
      <Media data={blob} mimeType={mimeType || 'unknown type'} name={name} />
    </>
  );
}

const mostRows = 100;
const mostColumns = 8;

function ValueTable({ rows }: { readonly rows: Rows }) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].slice(0, mostColumns);
  return (
    <>
      <Table label="Structured content">
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, mostRows).map((row, i) => (
            <tr key={i}>
              {columns.map((column) => (
                <td key={column}>{cellOf(row[column])}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </Table>
      {rows.length > mostRows && (
        <p class="muted">
          The first {mostRows} of {rows.length}; all are in the JSON.
        </p>
      )}
    </>
  );
}

function cellOf(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
