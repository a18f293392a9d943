/** Which words the caller's part of the catalog has. */
import type { Postings } from '../index/postings.ts';
import type { Snapshot } from '../index/snapshot.ts';

/** What the caller sees of the snapshot, by its numbers: what it does not see takes no part in any score. */
export type ViewMask = {
  /** 1 for every server of which something is seen. */
  readonly servers: Uint8Array;
  readonly partial: PartialServers | null;
  /** By term, once it was asked for: 1 where anything seen has it, 2 where nothing has. */
  readonly words: Uint8Array;
};

/** Servers of which only some tools are seen. */
export type PartialServers = {
  readonly servers: ReadonlySet<number>;
  /** By document: 1 for a tool that is seen; meaningful for those servers alone. */
  readonly tools: Uint8Array;
};

/** Whether anything that is seen has the word: else it is as unknown as one that nothing has. */
export function isKnown(snapshot: Snapshot, term: number, mask: ViewMask | null): boolean {
  if (term >= snapshot.termCount) return false;
  if (mask === null)
    return hasPostings(snapshot.serverPostings, term) || hasPostings(snapshot.combinedToolsPostings, term);
  const { words } = mask;
  if (words[term] === 0) words[term] = serversWith(snapshot, term, mask) > 0 ? 1 : 2;
  return words[term] === 1;
}

function hasPostings({ starts }: Postings, term: number): boolean {
  return starts[term]! < starts[term + 1]!;
}

/** How many of the servers that are seen have the word: in their own texts, or in their tools', whichever are more. */
export function serversWith(snapshot: Snapshot, term: number, mask: ViewMask | null): number {
  if (term >= snapshot.termCount) return 0;
  const { serverPostings, combinedToolsPostings } = snapshot;
  if (mask === null)
    return Math.max(
      serverPostings.starts[term + 1]! - serverPostings.starts[term]!,
      combinedToolsPostings.starts[term + 1]! - combinedToolsPostings.starts[term]!,
    );
  let own = 0;
  for (let i = serverPostings.starts[term]!; i < serverPostings.starts[term + 1]!; i++)
    own += mask.servers[serverPostings.documents[i]!]!;
  return Math.max(own, serversWithTool(snapshot, term, mask));
}

function serversWithTool({ toolPostings, docServer }: Snapshot, term: number, mask: ViewMask): number {
  const { servers, partial } = mask;
  let [count, last] = [0, -1];
  // Posted server by server.
  for (let i = toolPostings.starts[term]!; i < toolPostings.starts[term + 1]!; i++) {
    const tool = toolPostings.documents[i]!;
    const server = docServer[tool]!;
    if (server === last || servers[server] !== 1) continue;
    if (partial?.servers.has(server) === true && partial.tools[tool] !== 1) continue;
    count++;
    last = server;
  }
  return count;
}
