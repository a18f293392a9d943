import { Table } from '../components/table.tsx';
import type { Block, Inline } from './markdown.ts';

/** A tool's Markdown as people see it; its headings are no headings of the page. */
export function MarkdownView({ blocks }: { readonly blocks: readonly Block[] }) {
  return (
    <div class="answer-prose">
      {blocks.map((block, i) => (
        <BlockView key={i} block={block} />
      ))}
    </div>
  );
}

function BlockView({ block }: { readonly block: Block }) {
  switch (block.kind) {
    case 'heading':
      return (
        <p class="answer-heading">
          <Inlines of={block.inlines} />
        </p>
      );
    case 'code':
      return <pre class="wrap">{block.text}</pre>;
    case 'rule':
      return <hr />;
    case 'quote':
      return (
        <blockquote>
          <Inlines of={block.inlines} />
        </blockquote>
      );
    case 'list':
      return <ListView block={block} />;
    case 'table':
      return <TableView rows={block.rows} />;
    default:
      return (
        <p>
          <Inlines of={block.inlines} />
        </p>
      );
  }
}

function ListView({ block: { ordered, items } }: { readonly block: Extract<Block, { kind: 'list' }> }) {
  const List = ordered ? 'ol' : 'ul';
  return (
    <List>
      {items.map((item, i) => (
        <li key={i}>
          <Inlines of={item} />
        </li>
      ))}
    </List>
  );
}

function TableView({ rows: [head = [], ...rows] }: Pick<Extract<Block, { kind: 'table' }>, 'rows'>) {
  return (
    <Table label="Table of the answer">
      <thead>
        <tr>
          {head.map((cell, i) => (
            <th key={i} scope="col">
              <Inlines of={cell} />
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, i) => (
          <tr key={i}>
            {row.map((cell, at) => (
              <td key={at}>
                <Inlines of={cell} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </Table>
  );
}

function Inlines({ of }: { readonly of: readonly Inline[] }) {
  return (
    <>
      {of.map((each, i) => {
        if (each.kind === 'link')
          return (
            <a key={i} href={each.href} target="_blank" rel="noreferrer noopener">
              {each.text}
            </a>
          );
        if (each.kind === 'text') return each.text;
        const Element = each.kind;
        return <Element key={i}>{each.text}</Element>;
      })}
    </>
  );
}
