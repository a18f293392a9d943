/** The documents of docs/, as files of their own beside the console: loaded when somebody reads. */
const files = import.meta.glob<string>('../../../docs/*.md', {
  query: '?url',
  import: 'default',
  eager: true,
});

/** Their pictures, by file name. */
const drawings = import.meta.glob<string>('../../../docs/*.svg', {
  query: '?url',
  import: 'default',
  eager: true,
});

export function pictureOf(name: string): string | undefined {
  return Object.entries(drawings).find(([path]) => path.endsWith(`/${name}`))?.[1];
}

export type Section = { readonly heading: string; readonly anchor: string; readonly text: string };
export type Document = {
  readonly name: string;
  readonly title: string;
  readonly markdown: string;
  readonly sections: readonly Section[];
};

/** What one reads first comes first; the rest by name. */
const order = [
  'getting-started',
  'console',
  'concepts',
  'search',
  'mcp',
  'identity',
  'connections',
  'proxy',
  'cli',
  'configuration',
  'operations',
];

let loading: Promise<readonly Document[]> | undefined;

export function loadDocuments(): Promise<readonly Document[]> {
  loading ??= Promise.all(Object.entries(files).map(([path, url]) => load(path, url)))
    .then((all) => all.sort((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name)))
    .catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
  return loading;
}

function rank(name: string): number {
  const at = order.indexOf(name);
  return at < 0 ? order.length : at;
}

async function load(path: string, url: string): Promise<Document> {
  const reply = await fetch(url);
  if (!reply.ok) throw new Error(`The document ${path.split('/').at(-1)} cannot be read (${reply.status}).`);
  const markdown = await reply.text();
  const name = path.split('/').at(-1)?.replace(/\.md$/, '') ?? '';
  const title = /^# (.+)$/m.exec(markdown)?.[1] ?? name;
  return { name, title, markdown, sections: sectionsOf(markdown, title) };
}

function sectionsOf(markdown: string, title: string): Section[] {
  const sections: { heading: string; anchor: string; text: string }[] = [
    { heading: title, anchor: '', text: '' },
  ];
  let fenced = false;
  for (const line of markdown.split('\n')) {
    if (line.startsWith('```')) fenced = !fenced;
    const heading = fenced ? undefined : /^#{2,4} (.+)$/.exec(line)?.[1];
    if (heading !== undefined)
      sections.push({ heading: plain(heading), anchor: anchorOf(heading), text: '' });
    else if (!/^# /.test(line)) sections[sections.length - 1]!.text += `${plain(line)} `;
  }
  return sections;
}

function plain(text: string): string {
  return text
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[`*|]/g, ' ')
    .replace(/\s+/g, ' ');
}

/** As GitHub makes them, so that links work in both places. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');
}

export type Found = { readonly document: Document; readonly section: Section; readonly excerpt: string };

/** Sections with every word of the query; those that have it in the heading first. */
export function find(documents: readonly Document[], text: string): Found[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  return documents
    .flatMap((document) =>
      document.sections.flatMap((section) => {
        const heading = `${document.title} ${section.heading}`.toLowerCase();
        const body = section.text.toLowerCase();
        if (!words.every((word) => heading.includes(word) || body.includes(word))) return [];
        const weight = words.filter((word) => heading.includes(word)).length;
        return [{ document, section, excerpt: excerptOf(section.text, words), weight }];
      }),
    )
    .sort((a, b) => b.weight - a.weight)
    .slice(0, 30);
}

function excerptOf(text: string, words: readonly string[]): string {
  const lower = text.toLowerCase();
  const at = Math.max(
    0,
    Math.min(...words.map((word) => lower.indexOf(word)).filter((i) => i >= 0), text.length) - 60,
  );
  const piece = text.slice(at === text.length - 60 ? 0 : at, at + 180).trim();
  return `${at > 0 ? '… ' : ''}${piece}${at + 180 < text.length ? ' …' : ''}`;
}
