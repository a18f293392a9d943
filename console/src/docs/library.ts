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

export type Section = {
  readonly heading: string;
  readonly anchor: string;
  readonly text: string;
  /** What stands between fences: found, but no excerpt. */
  readonly code: string;
};
export type Document = {
  readonly name: string;
  readonly title: string;
  readonly markdown: string;
  readonly sections: readonly Section[];
};

/** What one reads first comes first; the rest by name. */
const order = [
  'getting-started',
  'concepts',
  'console',
  'api',
  'clients',
  'sdk',
  'search',
  'mcp',
  'identity',
  'connections',
  'proxy',
  'cli',
  'configuration',
  'container',
  'operations',
  'sizing',
  'security-model',
  'faq',
  'rights',
  'errors',
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
  const sections: { heading: string; anchor: string; text: string; code: string }[] = [
    { heading: title, anchor: '', text: '', code: '' },
  ];
  let fenced = false;
  for (const line of markdown.split('\n')) {
    if (line.startsWith('```')) fenced = !fenced;
    const heading = fenced ? undefined : /^#{2,4} (.+)$/.exec(line)?.[1];
    if (heading !== undefined)
      sections.push({ heading: plain(heading), anchor: anchorOf(heading), text: '', code: '' });
    else if (!/^(# |```)/.test(line)) {
      const section = sections[sections.length - 1]!;
      if (fenced) section.code += `${line} `;
      else section.text += `${plain(line)} `;
    }
  }
  return sections;
}

function plain(text: string): string {
  return text
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[`*]/g, '')
    .replace(/\||^ *- /g, ' ')
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

/** Sections in which a word begins with each word of the query; those that have it in the heading first. */
export function find(documents: readonly Document[], text: string): Found[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}_-]+/gu) ?? [];
  if (words.length === 0) return [];
  const marks = words.map((word) => new RegExp(`(?<![\\p{L}\\p{N}])${word}`, 'iu'));
  return documents
    .flatMap((document) =>
      document.sections.flatMap((section) => {
        const heading = `${document.title} ${section.heading}`;
        if (!marks.every((mark) => mark.test(`${heading} ${section.text} ${section.code}`))) return [];
        const weight = marks.filter((mark) => mark.test(heading)).length;
        return [{ document, section, excerpt: excerptOf(section.text, marks), weight }];
      }),
    )
    .sort((a, b) => b.weight - a.weight)
    .slice(0, 30);
}

const excerptLength = 180;

/** Some words before the first that was looked for, and what follows. */
function excerptOf(text: string, marks: readonly RegExp[]): string {
  const first = Math.min(...marks.map((mark) => text.search(mark)).filter((at) => at >= 0), text.length);
  const near = first === text.length ? 0 : Math.max(0, first - 50);
  const from = near === 0 ? 0 : text.indexOf(' ', near) + 1;
  const to = text.lastIndexOf(' ', from + excerptLength);
  const piece = text.slice(from, text.length - from <= excerptLength ? undefined : to).trim();
  return `${from > 0 ? '… ' : ''}${piece}${text.length - from > excerptLength ? ' …' : ''}`;
}
