/** Markdown as our documents use it, read into blocks. Nothing becomes HTML as it stands: elements are made from these. */
export type Block =
  | { readonly kind: 'heading'; readonly level: number; readonly text: string }
  | { readonly kind: 'paragraph'; readonly text: string }
  | { readonly kind: 'code'; readonly language: string; readonly text: string }
  | {
      readonly kind: 'table';
      readonly head: readonly string[];
      readonly rows: readonly (readonly string[])[];
    }
  | { readonly kind: 'quote'; readonly text: string }
  | { readonly kind: 'list'; readonly ordered: boolean; readonly items: readonly (readonly Block[])[] }
  | { readonly kind: 'rule' };

const itemStart = /^(\s*)([-*]|\d+\.) +(.*)$/;

export function readBlocks(markdown: string): Block[] {
  const lines = markdown.replaceAll('\r', '').split('\n');
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; ) {
    const [block, next] = readBlock(lines, at);
    if (block !== null) blocks.push(block);
    at = next;
  }
  return blocks;
}

function readBlock(lines: readonly string[], at: number): [Block | null, number] {
  const line = lines[at] ?? '';
  if (line.trim() === '') return [null, at + 1];
  const [, marks, heading] = /^(#{1,6}) (.+?)#*$/.exec(line) ?? [];
  if (marks !== undefined && heading !== undefined)
    return [{ kind: 'heading', level: marks.length, text: heading.trim() }, at + 1];
  if (/^(```|~~~)/.test(line)) return readFence(lines, at);
  if (/^( {4}|\t)/.test(line)) return readIndented(lines, at);
  if (/^(-{3,}|\*{3,})$/.test(line.trim())) return [{ kind: 'rule' }, at + 1];
  if (line.startsWith('|') && /^\|?[\s:|-]+\|?$/.test(lines[at + 1] ?? '')) return readTable(lines, at);
  if (line.startsWith('>'))
    return readWhile(
      lines,
      at,
      (each) => each.startsWith('>'),
      (text) => ({ kind: 'quote', text: text.replace(/^> ?/gm, '') }),
    );
  if (itemStart.test(line)) return readList(lines, at);
  return readWhile(
    lines,
    at,
    (each, first) => first || !startsBlock(each),
    (text) => ({ kind: 'paragraph', text }),
  );
}

function startsBlock(line: string): boolean {
  return line.trim() === '' || /^(#{1,6} |```|~~~|\||>)/.test(line) || itemStart.test(line);
}

function readWhile(
  lines: readonly string[],
  at: number,
  fits: (line: string, first: boolean) => boolean,
  make: (text: string) => Block,
): [Block, number] {
  let end = at;
  while (end < lines.length && fits(lines[end] ?? '', end === at)) end++;
  return [make(lines.slice(at, end).join('\n')), Math.max(end, at + 1)];
}

function readFence(lines: readonly string[], at: number): [Block, number] {
  const fence = (lines[at] ?? '').slice(0, 3);
  let end = at + 1;
  while (end < lines.length && !(lines[end] ?? '').startsWith(fence)) end++;
  return [
    { kind: 'code', language: (lines[at] ?? '').slice(3).trim(), text: lines.slice(at + 1, end).join('\n') },
    end + 1,
  ];
}

function readIndented(lines: readonly string[], at: number): [Block, number] {
  let end = at;
  while (end < lines.length && (/^( {4}|\t)/.test(lines[end] ?? '') || lines[end]?.trim() === '')) end++;
  const text = lines.slice(at, end).map((line) => line.replace(/^( {4}|\t)/, ''));
  return [{ kind: 'code', language: '', text: text.join('\n').trimEnd() }, end];
}

function readTable(lines: readonly string[], at: number): [Block, number] {
  let end = at + 2;
  while ((lines[end] ?? '').startsWith('|')) end++;
  const cells = (line: string) =>
    line
      .trim()
      .replace(/^\||\|$/g, '')
      .split(/(?<!\\)\|(?=(?:[^`]*`[^`]*`)*[^`]*$)/)
      .map((cell) => cell.trim().replaceAll('\\|', '|'));
  return [{ kind: 'table', head: cells(lines[at] ?? ''), rows: lines.slice(at + 2, end).map(cells) }, end];
}

function readList(lines: readonly string[], at: number): [Block, number] {
  const [, indent = '', mark = ''] = itemStart.exec(lines[at] ?? '') ?? [];
  const items: string[][] = [];
  let end = at;
  for (; end < lines.length; end++) {
    const line = lines[end] ?? '';
    const [, own = '', , text = ''] = itemStart.exec(line) ?? [];
    if (itemStart.test(line) && own.length <= indent.length) items.push([text]);
    else if (line.trim() === '' && !/^\s{2,}\S/.test(lines[end + 1] ?? '')) break;
    else if (line.trim() !== '' && !/^\s/.test(line) && startsBlock(line)) break;
    else items.at(-1)?.push(line.replace(/^ {2,3}/, ''));
  }
  return [
    { kind: 'list', ordered: /\d/.test(mark), items: items.map((item) => readBlocks(item.join('\n'))) },
    Math.max(end, at + 1),
  ];
}
