import { Marked, type MarkedToken, type Renderer, type Token, type Tokens } from 'marked';
import type { Document, DocumentPart, Section } from '../src/docs/document.ts';

/** Where the console shows a picture from; undefined: it has none of that name. */
export type PictureUrl = (name: string) => string | undefined;

/** A document as the console shows it: links lead to where the documents are shown, tables scroll, markup in a text stays text. */
export function renderDocument(name: string, markdown: string, pictureUrl: PictureUrl): Document {
  const marked = new Marked({ renderer: rendererFor(pictureUrl) });
  const tokens = marked.lexer(markdown) as MarkedToken[];
  const first = tokens.find((token) => token.type === 'heading');
  const title = first?.text ?? name;
  return { name, title, parts: partsOf(tokens, marked), sections: sectionsOf(tokens, title) };
}

/** Code stands by itself, for it has a button to copy it. */
function partsOf(tokens: readonly MarkedToken[], marked: Marked): DocumentPart[] {
  const parts: DocumentPart[] = [];
  let pending: MarkedToken[] = [];
  const flush = () => {
    if (pending.some(({ type }) => type !== 'space')) parts.push({ html: marked.parser(pending) });
    pending = [];
  };
  for (const token of tokens) {
    if (token.type !== 'code') {
      pending.push(token);
      continue;
    }
    flush();
    parts.push({ code: token.text, language: token.lang || 'text' });
  }
  flush();
  return parts;
}

type OwnRenderer = Partial<Omit<Renderer, 'constructor' | 'options' | 'parser'>>;

function rendererFor(pictureUrl: PictureUrl): OwnRenderer {
  return {
    heading(this: Renderer, { depth, text, tokens }) {
      const attribute = depth === 1 ? 'tabindex="-1"' : `id="${anchorOf(text)}"`;
      return `<h${depth} ${attribute}>${this.parser.parseInline(tokens)}</h${depth}>\n`;
    },
    link(this: Renderer, { href, tokens }) {
      return link(href, this.parser.parseInline(tokens));
    },
    image({ href, text }) {
      const url = pictureUrl(href);
      return url === undefined
        ? `<em class="muted">[picture: ${escapeHtml(text)}]</em>`
        : `<img class="picture" src="${url}" alt="${escapeHtml(text)}">`;
    },
    html: ({ text }) => escapeHtml(text),
    table(this: Renderer, token) {
      return table(token, (tokens) => this.parser.parseInline(tokens));
    },
  };
}

/** Documents link to each other by file; what is not shown here (the sources, say) is named, not linked. */
function link(href: string, label: string): string {
  if (/^https?:\/\//.test(href))
    return `<a href="${escapeHtml(href)}" target="_blank" rel="noreferrer noopener">${label}</a>`;
  if (href.startsWith('#')) return `<a href="${escapeHtml(href)}">${label}</a>`;
  const [, name, anchor = ''] = /^(?:\.\/)?([a-z-]+)\.md(#.*)?$/.exec(href) ?? [];
  return name === undefined
    ? `<span>${label}</span>`
    : `<a href="/docs/${name}${escapeHtml(anchor)}">${label}</a>`;
}

/** As the console's own tables: in a frame that scrolls, and with rows that become cards where it is narrow. */
function table({ header, rows }: Tokens.Table, inline: (tokens: Token[]) => string): string {
  const label = escapeHtml(header.map(({ text }) => text).join(', ') || 'Table');
  const heads = header.map(({ text, tokens }) =>
    text === '' ? '<span class="visually-hidden">Name</span>' : inline(tokens),
  );
  const cells = (row: readonly Tokens.TableCell[]) =>
    row.map(({ tokens }, i) => {
      const head = escapeHtml((header[i]?.text ?? '').replaceAll('`', ''));
      return `<td data-head="${head}"><div>${inline(tokens)}</div></td>`;
    });
  return [
    `<section class="table-scroll" tabindex="0" aria-label="${label}"><table class="cards"><thead><tr>`,
    ...heads.map((head) => `<th scope="col">${head}</th>`),
    '</tr></thead><tbody>',
    ...rows.map((row) => `<tr>${cells(row).join('')}</tr>`),
    '</tbody></table></section>\n',
  ].join('');
}

function sectionsOf(tokens: readonly MarkedToken[], title: string): Section[] {
  const sections: { -readonly [K in keyof Section]: Section[K] }[] = [
    { heading: title, anchor: '', text: '', code: '' },
  ];
  for (const token of tokens) {
    const section = sections[sections.length - 1]!;
    if (token.type === 'heading') {
      const { depth, text } = token;
      if (depth > 1) sections.push({ heading: plain(text), anchor: anchorOf(text), text: '', code: '' });
    } else if (token.type === 'code') section.code += `${token.text} `;
    else section.text += `${plain(token.raw)} `;
  }
  return sections;
}

/** What one reads of a piece of markdown. */
function plain(markdown: string): string {
  return markdown
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[`*]/g, '')
    .replace(/^[|:\s-]+$/gm, ' ')
    .replace(/\||^ *- /gm, ' ')
    .replace(/\s+/g, ' ');
}

/** As GitHub makes them, so that links work in both places. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
