/** What everyone has: BM25 over one flat field, lower-cased words, no stemming, no stop words. The yardstick. */
import type { CatalogServer } from '../src/catalog/catalog.ts';

const k1 = 1.2;
const b = 0.75;

export function plainBm25(servers: readonly CatalogServer[]): (query: string) => string[] {
  const documents = servers.map((server) => ({ id: server.id, counts: countWords(textOf(server)) }));
  const lengths = documents.map(({ counts }) => [...counts.values()].reduce((sum, n) => sum + n, 0));
  const average = lengths.reduce((sum, n) => sum + n, 0) / Math.max(1, lengths.length);
  const postings = new Map<string, { d: number; count: number }[]>();
  for (const [d, { counts }] of documents.entries()) {
    for (const [word, count] of counts) {
      const list = postings.get(word);
      if (list === undefined) postings.set(word, [{ d, count }]);
      else list.push({ d, count });
    }
  }
  return (query) => {
    const scores = new Map<number, number>();
    for (const [word, times] of countWords(query)) {
      const list = postings.get(word) ?? [];
      const idf = Math.log(1 + (documents.length - list.length + 0.5) / (list.length + 0.5));
      for (const { d, count } of list) {
        const norm = k1 * (1 - b + (b * lengths[d]!) / average);
        scores.set(d, (scores.get(d) ?? 0) + (times * idf * count * (k1 + 1)) / (count + norm));
      }
    }
    return [...scores]
      .sort((x, y) => y[1] - x[1] || x[0] - y[0])
      .slice(0, 10)
      .map(([d]) => documents[d]!.id);
  };
}

function textOf({ name, description, tools }: CatalogServer): string {
  return [name, description, ...tools.flatMap((tool) => [tool.name, tool.description])].join(' ');
}

function countWords(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [])
    counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
