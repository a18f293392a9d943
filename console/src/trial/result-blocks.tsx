import type { ToolResult } from '../../../sdk/api.ts';
import { bytes, pretty } from '../browser/format.ts';
import { isShown, useObjectUrl } from '../browser/object-url.ts';
import { type Rows, rowsOf } from '../browser/structured-rows.ts';
import { CodeBlock } from '../components/code-block.tsx';
import { Table } from '../components/table.tsx';
import { readMarkdown } from './markdown.ts';
import { MarkdownView } from './markdown-view.tsx';

type Block = ToolResult['content'][number];
type Resource = {
  readonly uri?: string;
  readonly mimeType?: string;
  readonly text?: string;
  readonly blob?: string;
};

/** A result as people see it: pictures and sounds, links, resources, and what has a structure as a table. */
export function ResultBlocks({ result }: { readonly result: ToolResult }) {
  const rows = rowsOf(result.structuredContent);
  return (
    <>
      {result.content.map((block, i) => (
        <ResultBlock key={i} block={block} number={i + 1} of={result.content.length} />
      ))}
      {rows !== null && <ValueTable rows={rows} />}
    </>
  );
}

function ResultBlock(props: { readonly block: Block; readonly number: number; readonly of: number }) {
  const { block, number } = props;
  const label = props.of === 1 ? 'Text' : `Text ${number} of ${props.of}`;
  const { type, text, data, mimeType, resource, uri } = block as Block & Record<string, unknown>;
  if (type === 'text') return <TextBlock label={label} text={String(text ?? '')} />;
  if ((type === 'image' || type === 'audio') && typeof data === 'string')
    return <Media data={data} mimeType={String(mimeType)} />;
  if (type === 'resource_link' && typeof uri === 'string') return <ResourceLink block={block} uri={uri} />;
  if (type === 'resource') return <EmbeddedResource resource={(resource ?? {}) as Resource} />;
  return <p class="muted">A block of type {String(type)}; it is in the JSON.</p>;
}

/** Words with marks as they are meant, and as they came. */
function TextBlock({ label, text }: { readonly label: string; readonly text: string }) {
  const blocks = readMarkdown(text);
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

function Media({ data, mimeType }: { readonly data: string; readonly mimeType: string }) {
  const url = useObjectUrl(data, mimeType);
  const size = bytes(Math.round(data.length * 0.75));
  const caption = `${mimeType}, ${size}`;
  if (url === null) return <p class="muted">{caption}; it is in the JSON.</p>;
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

function ResourceLink({ block, uri }: { readonly block: Block; readonly uri: string }) {
  const { name, title, description } = block as Record<string, unknown>;
  const label = String(title ?? name ?? uri);
  return (
    <p>
      {/^https?:\/\//.test(uri) ? (
        <a href={uri} target="_blank" rel="noreferrer">
          {label}
        </a>
      ) : (
        <>
          {label} <code>{uri}</code>
        </>
      )}{' '}
      {typeof description === 'string' && <span class="muted">{description}</span>}
    </p>
  );
}

function EmbeddedResource({ resource }: { readonly resource: Resource }) {
  const { uri = 'Resource', mimeType = '', text, blob } = resource;
  if (text !== undefined) return <TextBlock label={uri} text={text} />;
  if (blob !== undefined && isShown(mimeType)) return <Media data={blob} mimeType={mimeType} />;
  return (
    <p>
      <code>{uri}</code> <span class="muted">{mimeType}; it is in the JSON.</span>
    </p>
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
