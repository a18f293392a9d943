import type { Clock } from '../../base/clock.ts';
import type { Storage } from '../../storage/storage.ts';

type Tables = { embeddings: { space: string; digest: string; vector: string; at: number } };

/** Vectors by the digest of their text, within one vector space. */
export type EmbeddingStore = {
  find(space: string, digests: readonly string[]): Promise<Map<string, Float32Array>>;
  keep(space: string, vectors: ReadonlyMap<string, Float32Array>): Promise<void>;
  /** Forgets other spaces that nobody wrote to for a month: a provider that was tried and left. */
  prune(space: string): Promise<void>;
};

const keptMs = 30 * 86_400_000;
const rowsPerInsert = 64;

export function createEmbeddingStore(storage: Storage, clock: Clock): EmbeddingStore {
  const db = storage.tables<Tables>();
  return {
    async find(space, digests) {
      const rows = await db
        .selectFrom('embeddings')
        .select(['digest', 'vector'])
        .where('space', '=', space)
        .where('digest', 'in', [...new Set(digests)])
        .execute();
      return new Map(rows.map(({ digest, vector }) => [digest, unpack(vector)]));
    },
    async keep(space, vectors) {
      const rows = [...vectors].map(([digest, vector]) => ({
        space,
        digest,
        vector: pack(vector),
        at: clock.now(),
      }));
      for (let at = 0; at < rows.length; at += rowsPerInsert)
        await db
          .insertInto('embeddings')
          .values(rows.slice(at, at + rowsPerInsert))
          .onConflict((clash) => clash.columns(['space', 'digest']).doNothing())
          .execute();
    },
    async prune(space) {
      const stale = await db
        .selectFrom('embeddings')
        .select('space')
        .where('space', '<>', space)
        .groupBy('space')
        .having((is) => is(is.fn.max('at'), '<', clock.now() - keptMs))
        .execute();
      for (const { space: left } of stale)
        await db.deleteFrom('embeddings').where('space', '=', left).execute();
    },
  };
}

/** As int8 with one scale, which is all that the index keeps of a vector too; text, so that both databases take it. */
function pack(vector: Float32Array): string {
  let most = 0;
  for (const x of vector) most = Math.max(most, Math.abs(x));
  const bytes = Buffer.alloc(4 + vector.length);
  bytes.writeFloatLE(most / 127, 0);
  for (const [i, x] of vector.entries())
    bytes.writeInt8(most === 0 ? 0 : Math.round((x * 127) / most), 4 + i);
  return bytes.toString('base64');
}

function unpack(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64');
  const scale = bytes.readFloatLE(0);
  const vector = new Float32Array(bytes.length - 4);
  for (let i = 0; i < vector.length; i++) vector[i] = bytes.readInt8(4 + i) * scale;
  return vector;
}
