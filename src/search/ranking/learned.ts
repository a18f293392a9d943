/** Puts what was learned beside the text: relevance with the bonus of earlier successes, in the range it had before. */
import { queryStems } from '../index/text.ts';
import type { AskedQuery, Usage } from '../learning/model.ts';
import type { Standing } from '../learning/standing.ts';
import type { Relevance } from './relevance.ts';

/** What was learned, by the numbers of one snapshot. */
export type Taught = {
  usage(
    asked: AskedQuery,
    top: readonly { readonly server: number; readonly relevance: number }[],
  ): ReadonlyMap<number, Usage>;
  standing(server: number): Standing;
};

export type Learnt = {
  readonly usage: ReadonlyMap<number, Usage>;
  /** The best relevance now. */
  readonly best: number;
  /** What a repeated query adds to the evidence that something fits. */
  readonly surer: number;
};

/** In logits: a query after which the same call succeeded before is answerable, whatever its words. */
const sureness = 3;

export function addUsage(
  { ofServer, weightOf }: Relevance,
  taught: Taught | null,
  query: {
    readonly parts: readonly string[];
    readonly vector: Float32Array;
    readonly allowed: Uint8Array | null;
    /** The best by text, best first. */
    readonly byText: readonly number[];
  },
): Learnt {
  const { parts, vector, allowed, byText } = query;
  const best = ofServer[byText[0] ?? -1] ?? 0;
  const asked: AskedQuery = {
    stems: taught === null ? [] : [...new Set(queryStems(parts[0] ?? ''))],
    vector,
    weightOf,
  };
  const top = () => byText.map((server) => ({ server, relevance: ofServer[server]! }));
  const usage = taught?.usage(asked, top()) ?? new Map<number, Usage>();
  let [most, surer] = [best, 0];
  for (const [server, { bonus, sure }] of usage) {
    if (allowed !== null && allowed[server] !== 1) continue;
    ofServer[server] = ofServer[server]! + bonus;
    most = Math.max(most, ofServer[server]);
    surer = Math.max(surer, sureness * sure);
  }
  // Brought back to the range that the calibration knows: the best is as good as it was, the others lie behind it.
  const range = best || Math.min(1, most);
  if (most > range) for (let s = 0; s < ofServer.length; s++) ofServer[s] = (ofServer[s]! * range) / most;
  return { usage, best: usage.size === 0 ? best : range, surer };
}
