/** Markdown as tools answer it, read into plain values: what it is shown as is made of these, never of markup. */

export type Inline =
  | { readonly kind: 'text' | 'code' | 'strong' | 'em'; readonly text: string }
  | { readonly kind: 'link'; readonly text: string; readonly href: string };
export type Block =
  | { readonly kind: 'heading'; readonly level: number; readonly inlines: readonly Inline[] }
  | { readonly kind: 'paragraph' | 'quote'; readonly inlines: readonly Inline[] }
  | { readonly kind: 'list'; readonly ordered: boolean; readonly items: readonly (readonly Inline[])[] }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'table'; readonly rows: readonly (readonly (readonly Inline[])[])[] }
  | { readonly kind: 'rule' };

/** A longer text is shown as it is. */
const maxLength = 50_000;
const signs = [
  /^#{1,6} \S/m,
  /^```/m,
  /^\s*[-*+] \S/m,
  /^\d+\. \S/m,
  /\*\*\S[^*\n]*\*\*/,
  /\]\(https?:/,
  /^\|[-: |]+\|\s*$/m,
];

/** null: it reads as plain text. JSON is none. */
export function readMarkdown(text: string): readonly Block[] | null {
  if (text.length > maxLength || /^\s*[[{<]/.test(text)) return null;
  return signs.some((sign) => sign.test(text)) ? blocksOf(text.split(/\r?\n/)) : null;
}

const starts = {
  fence: /^\s{0,3}(```|~~~)/,
  heading: /^(#{1,6}) +(.*)$/,
  rule: /^\s{0,3}([-*_])( *\1){2,}\s*$/,
  quote: /^> ?/,
  item: /^\s*(?:[-*+]|(\d+)[.)]) +(.*)$/,
  row: /^\s*\|(.*)\|\s*$/,
};

function blocksOf(lines: readonly string[]): Block[] {
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; ) {
    const [block, next] = blockAt(lines, at);
    if (block !== null) blocks.push(block);
    at = next;
  }
  return blocks;
}

/** The block that begins there, and where the next one does. */
function blockAt(lines: readonly string[], at: number): readonly [Block | null, number] {
  const line = lines[at] ?? '';
  if (line.trim() === '') return [null, at + 1];
  if (starts.fence.test(line)) return codeAt(lines, at);
  const [, marks, title] = starts.heading.exec(line) ?? [];
  if (marks !== undefined)
    return [{ kind: 'heading', level: marks.length, inlines: inlinesOf(title ?? '') }, at + 1];
  if (starts.rule.test(line)) return [{ kind: 'rule' }, at + 1];
  if (starts.item.test(line)) return listAt(lines, at);
  if (starts.row.test(line)) return tableAt(lines, at);
  const isQuote = starts.quote.test(line);
  const end = endOf(lines, at, (each) => (isQuote ? starts.quote.test(each) : isPlain(each)));
  const words = lines.slice(at, end).map((each) => (isQuote ? each.replace(starts.quote, '') : each.trim()));
  return [{ kind: isQuote ? 'quote' : 'paragraph', inlines: inlinesOf(words.join(' ')) }, end];
}

function isPlain(line: string): boolean {
  return line.trim() !== '' && !Object.values(starts).some((start) => start.test(line));
}

/** The first line from `at` on, after the first, that does not go on. */
function endOf(lines: readonly string[], at: number, goesOn: (line: string) => boolean): number {
  let end = at + 1;
  while (end < lines.length && goesOn(lines[end] ?? '')) end++;
  return end;
}

function codeAt(lines: readonly string[], at: number): readonly [Block, number] {
  const fence = (lines[at] ?? '').trim().slice(0, 3);
  const end = endOf(lines, at, (line) => !line.trim().startsWith(fence));
  return [{ kind: 'code', text: lines.slice(at + 1, end).join('\n') }, end + 1];
}

function listAt(lines: readonly string[], at: number): readonly [Block, number] {
  const items: string[] = [];
  const ordered = starts.item.exec(lines[at] ?? '')?.[1] !== undefined;
  const end = endOf(lines, at, (line) => starts.item.test(line) || (/^\s/.test(line) && isPlain(line)));
  for (const line of lines.slice(at, end)) {
    const [found, , words] = starts.item.exec(line) ?? [];
    if (found !== undefined) items.push(words ?? '');
    else items.push(`${items.pop() ?? ''} ${line.trim()}`);
  }
  return [{ kind: 'list', ordered, items: items.map(inlinesOf) }, end];
}

function tableAt(lines: readonly string[], at: number): readonly [Block, number] {
  const end = endOf(lines, at, (line) => starts.row.test(line));
  const rows = lines.slice(at, end).flatMap((line) => {
    const cells = (starts.row.exec(line)?.[1] ?? '').split('|').map((cell) => cell.trim());
    return cells.every((cell) => /^:?-+:?$/.test(cell)) ? [] : [cells.map(inlinesOf)];
  });
  return [{ kind: 'table', rows }, end];
}

/** Code, bold, emphasis, links: whichever begins first; nothing inside another. A picture is a link to it. */
const inline =
  /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|!?\[([^\][]*)\]\(([^()\s]*)\)|(https?:\/\/[^\s<>()"']+)/g;

function inlinesOf(text: string): Inline[] {
  const found: Inline[] = [];
  let from = 0;
  for (const match of text.matchAll(inline)) {
    if (match.index > from) found.push({ kind: 'text', text: text.slice(from, match.index) });
    found.push(inlineOf(match));
    from = match.index + match[0].length;
  }
  if (from < text.length) found.push({ kind: 'text', text: text.slice(from) });
  return found;
}

function inlineOf([whole, code, strong, em, words, target, url]: RegExpMatchArray): Inline {
  if (code !== undefined) return { kind: 'code', text: code };
  if (strong !== undefined) return { kind: 'strong', text: strong };
  if (em !== undefined) return { kind: 'em', text: em };
  const href = url ?? target ?? '';
  const text = words === undefined || words === '' ? href : words;
  return /^https?:\/\//i.test(href) ? { kind: 'link', text, href } : { kind: 'text', text: words ?? whole };
}
