import { hintsIn } from '../base/tool-hints.ts';
import type { ServerRecord } from '../catalog/catalog.ts';
import type { Policy, Rule } from '../policy/policy.ts';

/** What a rule is held against: a catalogue, as far as it looks at one. */
export type RuleFacts = Pick<ServerRecord, 'id' | 'category' | 'tags' | 'trusted' | 'tools'>;
export type RuleCatalog = {
  list(query: {
    readonly limit: number;
    readonly cursor?: string;
  }): Promise<{ readonly servers: readonly RuleFacts[]; readonly nextCursor?: string }>;
};
type Fits = Policy['fits'];

const pageSize = 100;

/** Rules that fit nothing in the catalogue, with the ids and names that come closest. */
export async function warningsFor(
  rules: readonly Rule[],
  catalog: RuleCatalog,
  fits: Fits,
): Promise<string[]> {
  const open = new Map<number, Rule>(rules.entries());
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await catalog.list({ limit: pageSize, ...(cursor !== undefined && { cursor }) });
    for (const record of page.servers) {
      ids.push(record.id);
      for (const [index, rule] of open) if (fitsRecord(rule, record, fits)) open.delete(index);
    }
    cursor = page.nextCursor;
  } while (cursor !== undefined && open.size > 0);
  return [...open].map(([index, rule]) => `rules[${index}]: fits no tool here${nearest(rule, ids)}`);
}

function fitsRecord(rule: Rule, record: RuleFacts, fits: Fits): boolean {
  if (!fits(rule, record, null)) return false;
  // Of many servers no tools are known before somebody calls them; and what is said of tools changes.
  if (rule.changed === true || rule.suspicious === true) return true;
  if (record.tools.length === 0) return true;
  return record.tools.some(({ name, details }) => fits(rule, record, { name, hints: hintsIn(details) }));
}

function nearest({ server }: Rule, ids: readonly string[]): string {
  if (server === undefined) return '';
  const bare = server.replaceAll('*', '').toLowerCase();
  const near = ids
    .filter((id) => bare.length > 2 && id.toLowerCase().includes(bare.slice(0, -1)))
    .slice(0, 3);
  return near.length === 0 ? '' : `; near: ${near.join(', ')}`;
}
