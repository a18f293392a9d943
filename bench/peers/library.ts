/** The same route over a search library: MiniSearch or Orama, servers and tools as documents, the best servers with a few tools each. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { create, insertMultiple, search } from '@orama/orama';
import Fastify from 'fastify';
import MiniSearch from 'minisearch';

type Row = {
  id: string;
  name: string;
  description: string;
  tools: { name: string; description: string; inputSchema: unknown }[];
};
type Asked = { query: string; limit?: number; tool_limit?: number };
type Document = { id: string; server: string; name: string; text: string };

const [, , library, file] = process.argv;
const rows = new Map<string, Row>();
for await (const line of createInterface({ input: createReadStream(file ?? '') })) {
  if (line === '') continue;
  const row = JSON.parse(line) as Row;
  rows.set(row.id, row);
}
const documents: Document[] = [...rows.values()].flatMap((row) => [
  { id: `${row.id}\n`, server: row.id, name: row.name, text: row.description },
  ...row.tools.map((tool, i) => ({
    id: `${row.id}\n${i}`,
    server: row.id,
    name: tool.name,
    text: `${tool.description} ${row.name}`,
  })),
]);
const find = library === 'minisearch' ? miniSearch(documents) : await orama(documents);

const app = Fastify();
app.post(
  '/v1/search',
  { schema: { body: { type: 'object', required: ['query'], properties: { query: { type: 'string' } } } } },
  async (request) => {
    const { query, limit = 10, tool_limit: tools = 5 } = request.body as Asked;
    const best = new Map<string, number>();
    for (const { server, score } of await find(query)) if (!best.has(server)) best.set(server, score);
    const servers = [...best].slice(0, limit).map(([id, score]) => {
      const row = rows.get(id);
      return {
        id,
        name: row?.name,
        description: row?.description,
        tools: row?.tools.slice(0, tools),
        final_score: score,
      };
    });
    return { servers, metadata: {} };
  },
);
console.log(`listening on ${await app.listen({ host: '127.0.0.1', port: 0 })}`);

type Find = (
  query: string,
) => Promise<{ server: string; score: number }[]> | { server: string; score: number }[];

function miniSearch(all: Document[]): Find {
  const index = new MiniSearch<Document>({
    fields: ['name', 'text'],
    storeFields: ['server'],
    searchOptions: { boost: { name: 2 } },
  });
  index.addAll(all);
  return (query) => index.search(query).map((hit) => ({ server: String(hit.server), score: hit.score }));
}

async function orama(all: Document[]): Promise<Find> {
  const index = create({ schema: { server: 'string', name: 'string', text: 'string' } as const });
  await insertMultiple(index, all, 5_000);
  return async (query) =>
    (
      await search(index, { term: query, properties: ['name', 'text'], boost: { name: 2 }, limit: 100 })
    ).hits.map((hit) => ({ server: hit.document.server, score: hit.score }));
}
