import documentsUrl from 'virtual:documents';
import type { Document, Section } from './document.ts';

/** What one reads first comes first; the rest by name. */
const order = [
  'getting-started',
  'concepts',
  'console',
  'api',
  'clients',
  'sdk',
  'python',
  'search',
  'mcp',
  'identity',
  'connections',
  'proxy',
  'cli',
  'configuration',
  'deploying',
  'container',
  'operations',
  'sizing',
  'security-model',
  'faq',
  'rights',
  'sign-in',
  'errors',
];

let loading: Promise<readonly Document[]> | undefined;

/** All documents, read once, when somebody reads one. */
export function loadDocuments(): Promise<readonly Document[]> {
  loading ??= load().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function load(): Promise<readonly Document[]> {
  const reply = await fetch(documentsUrl);
  if (!reply.ok) throw new Error(`The documents cannot be read (${reply.status}).`);
  const documents = (await reply.json()) as Document[];
  return documents.sort((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name));
}

function rank(name: string): number {
  const at = order.indexOf(name);
  return at < 0 ? order.length : at;
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
