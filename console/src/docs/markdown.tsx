import type { ComponentChildren, JSX } from 'preact';
import { CodeBlock, Table } from '../parts/bits.tsx';
import { type Block, readBlocks } from './blocks.ts';
import { anchorOf, pictureOf } from './library.ts';

/** A document as elements; its links lead to where the documents are shown. */
export function Markdown({ text }: { readonly text: string }) {
  return <div class="prose">{readBlocks(text).map(shown)}</div>;
}

function shown(block: Block, key: number): JSX.Element {
  switch (block.kind) {
    case 'heading': {
      if (block.level === 1)
        return (
          <h1 key={key} tabIndex={-1}>
            {inline(block.text)}
          </h1>
        );
      const Heading = `h${Math.min(block.level, 6)}` as 'h2';
      return (
        <Heading key={key} id={anchorOf(block.text)}>
          {inline(block.text)}
        </Heading>
      );
    }
    case 'paragraph':
      return <p key={key}>{inline(block.text)}</p>;
    case 'quote':
      return <blockquote key={key}>{inline(block.text)}</blockquote>;
    case 'code':
      return <CodeBlock key={key} label={block.language || 'text'} text={block.text} />;
    case 'rule':
      return <hr key={key} />;
    case 'list': {
      const List = block.ordered ? 'ol' : 'ul';
      return (
        <List key={key}>
          {block.items.map((item, i) => (
            <li key={i}>
              {item.map((each, j) =>
                each.kind === 'paragraph' ? <span key={j}>{inline(each.text)}</span> : shown(each, j),
              )}
            </li>
          ))}
        </List>
      );
    }
    case 'table':
      return (
        <Table key={key} label={block.head.join(', ') || 'Table'} cards>
          <thead>
            <tr>
              {block.head.map((cell, i) => (
                <th key={i} scope="col">
                  {cell === '' ? <span class="unseen">Name</span> : inline(cell)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {block.rows.map((row, i) => (
              <tr key={i}>
                {row.map((cell, j) => (
                  <td key={j} data-head={(block.head[j] ?? '').replaceAll('`', '')}>
                    <div>{inline(cell)}</div>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </Table>
      );
  }
}

const marks =
  /(`+)(.+?)\1|!\[([^\]]*)\]\(([^)]*)\)|\[([^\]]+)\]\(([^)\s]+)\)|\*\*(.+?)\*\*|(?<![\w*])\*([^*\s][^*]*)\*(?!\w)/gs;

function inline(text: string): ComponentChildren[] {
  const out: ComponentChildren[] = [];
  let last = 0;
  for (const match of text.matchAll(marks)) {
    out.push(text.slice(last, match.index));
    last = match.index + match[0].length;
    const [, , code, image, source = '', label, target, strong, soft] = match;
    if (code !== undefined) out.push(<code>{code.trim()}</code>);
    else if (image !== undefined) out.push(picture(image, source));
    else if (label !== undefined && target !== undefined) out.push(link(label, target));
    else if (strong !== undefined) out.push(<strong>{inline(strong)}</strong>);
    else if (soft !== undefined) out.push(<em>{inline(soft)}</em>);
  }
  out.push(text.slice(last));
  return out;
}

function picture(text: string, source: string): ComponentChildren {
  const url = pictureOf(source);
  return url === undefined ? (
    <em class="soft">[picture: {text}]</em>
  ) : (
    <img class="picture" src={url} alt={text} />
  );
}

/** Documents link to each other by file; what is not shown here (the sources, say) is named, not linked. */
function link(label: string, target: string): ComponentChildren {
  if (/^https?:\/\//.test(target))
    return (
      <a href={target} target="_blank" rel="noreferrer noopener">
        {inline(label)}
      </a>
    );
  if (target.startsWith('#')) return <a href={target}>{inline(label)}</a>;
  const [, name, anchor = ''] = /^(?:\.\/)?([a-z-]+)\.md(#.*)?$/.exec(target) ?? [];
  return name === undefined ? (
    <span>{inline(label)}</span>
  ) : (
    <a href={`/docs/${name}${anchor}`}>{inline(label)}</a>
  );
}
