/**
 * Pages by what was asked: the least recently used first out, bounded in bytes. Who asks for a page that is being
 * ranked waits for that one (single flight).
 */
import { LRUCache } from 'lru-cache';
import { type PackedPage, packedBytes, packPage, UnpackedPage } from './page-packing.ts';
import type { SearchPage } from './search-model.ts';

export type CacheStats = {
  readonly entries: number;
  readonly bytes: number;
  readonly hits: number;
  readonly misses: number;
};

export type PageCache = {
  get(key: string): SearchPage | undefined;
  /** Ranks a page that is not there. Kept unless `clear` came meanwhile: it may be of an older snapshot (stale-read guard). */
  load(key: string, rank: () => Promise<SearchPage>): Promise<SearchPage>;
  clear(): void;
  stats(): CacheStats;
};

export function createPageCache(maxBytes: number): PageCache {
  const pages = new LRUCache<string, PackedPage>({
    maxSize: maxBytes,
    // The key twice: it is here and in the log.
    sizeCalculation: (page, key) => packedBytes(page) + 2 * key.length,
  });
  const inFlight = new Map<string, Promise<SearchPage>>();
  let generation = 0;
  let [hits, misses] = [0, 0];

  async function rankOnce(key: string, rank: () => Promise<SearchPage>): Promise<SearchPage> {
    const began = generation;
    const flight = rank();
    inFlight.set(key, flight);
    try {
      const page = await flight;
      if (began === generation) pages.set(key, packPage(page));
      return page;
    } finally {
      inFlight.delete(key);
    }
  }

  return {
    get(key) {
      const packed = pages.get(key);
      if (packed === undefined) misses++;
      else hits++;
      return packed === undefined ? undefined : new UnpackedPage(packed);
    },
    load: (key, rank) => inFlight.get(key) ?? rankOnce(key, rank),
    clear() {
      generation++;
      pages.clear();
    },
    stats: () => ({ entries: pages.size, bytes: pages.calculatedSize, hits, misses }),
  };
}
