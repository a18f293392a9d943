import { once } from 'node:events';
import { createWriteStream } from 'node:fs';

const verbs = [
  'create',
  'list',
  'get',
  'update',
  'delete',
  'search',
  'send',
  'export',
  'import',
  'sync',
  'merge',
  'archive',
  'assign',
  'convert',
  'summarise',
  'schedule',
];
const nouns = [
  'invoice',
  'issue',
  'message',
  'calendar event',
  'contact',
  'repository',
  'deployment',
  'ticket',
  'document',
  'payment',
  'customer',
  'sensor reading',
  'playlist',
  'recipe',
  'flight',
  'dataset',
  'dashboard',
  'alert',
  'webhook',
  'order',
];
const fields = [
  'id',
  'name',
  'query',
  'limit',
  'cursor',
  'start_time',
  'end_time',
  'owner',
  'status',
  'priority',
  'labels',
  'amount',
  'currency',
  'language',
  'format',
  'folder',
];
const syllables = [
  'ba',
  'ko',
  'ri',
  'tu',
  'le',
  'ma',
  'no',
  'si',
  'va',
  'zen',
  'dor',
  'fin',
  'gal',
  'hex',
  'jun',
  'quo',
];

/** A catalogue of any size with the shape of the real one: words that repeat, names that do not, schemas of a few hundred bytes. */
export async function writeCatalogue(file: string, servers: number, tools: number): Promise<void> {
  const out = createWriteStream(file);
  const next = generator(20_261_120);
  const pick = <T>(from: readonly T[]): T => from[next() % from.length] as T;
  for (let s = 0; s < servers; s++) {
    const brand = Array.from({ length: 3 }, () => pick(syllables)).join('') + s;
    const subject = pick(nouns);
    const count = Math.floor(((s + 1) * tools) / servers) - Math.floor((s * tools) / servers);
    const row = {
      id: `io.github.${brand}/server`,
      name: brand,
      description: `${brand} helps agents to ${pick(verbs)} and ${pick(verbs)} every ${subject} and ${pick(nouns)} of a team, with ${pick(fields)} and ${pick(fields)} kept in step across ${pick(nouns)} systems.`,
      remote_url: `https://${brand}.example.com/mcp`,
      tools: Array.from({ length: count }, (_, t) => toolOf(`${pick(verbs)} ${pick(nouns)}`, t, pick, brand)),
    };
    if (!out.write(`${JSON.stringify(row)}\n`)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'finish');
}

function toolOf(title: string, index: number, pick: <T>(from: readonly T[]) => T, brand: string) {
  const properties = Object.fromEntries(
    Array.from({ length: 4 }, () => pick(fields)).map((field) => [
      field,
      { type: 'string', description: `The ${field.replaceAll('_', ' ')} of the ${pick(nouns)}` },
    ]),
  );
  return {
    name: `${title.replaceAll(' ', '_')}_${index}`,
    description: `${title} in ${brand}, by ${pick(fields)} or ${pick(fields)}, and answer with the ${pick(nouns)} that ${pick(verbs)} needs next.`,
    inputSchema: { type: 'object', properties },
  };
}

/** A small deterministic generator (xorshift32), so that two runs measure the same catalogue. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
