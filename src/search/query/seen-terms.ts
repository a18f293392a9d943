/** Which words the caller's part of the catalog has. */
import type { Postings } from '../index/postings.ts';
import type { SearchIndex, Segment } from '../segments/search-index.ts';

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
export function isKnown(index: SearchIndex, term: number, mask: ViewMask | null): boolean {
  if (term >= index.termCount) return false;
  if (mask === null) return true;
  const { words } = mask;
  if (words[term] === 0) words[term] = serversWith(index, term, mask) > 0 ? 1 : 2;
  return words[term] === 1;
}

/** How many of the servers that are seen have the word: in their own texts, or in their tools', whichever are more. */
export function serversWith({ segments, docBase }: SearchIndex, term: number, mask: ViewMask | null): number {
  let [own, tools] = [0, 0];
  for (const segment of segments) {
    if (term >= segment.snapshot.termCount) continue;
    if (mask === null) {
      const { serverPostings, combinedToolsPostings } = segment.snapshot;
      const less = segment.outdatedWith.get(term);
      own += count(serverPostings, term) - (less?.own ?? 0);
      tools += count(combinedToolsPostings, term) - (less?.tools ?? 0);
    } else {
      own += seenServersWith(segment, term, mask);
      tools += seenServersWithTool(segment, term, { ...mask, docBase });
    }
  }
  return Math.max(own, tools);
}

function count({ starts }: Postings, term: number): number {
  return starts[term + 1]! - starts[term]!;
}

function seenServersWith({ snapshot, numbers }: Segment, term: number, { servers }: ViewMask): number {
  const { starts, documents } = snapshot.serverPostings;
  let seen = 0;
  for (let i = starts[term]!; i < starts[term + 1]!; i++) {
    const own = documents[i]!;
    // What is outdated has no number there, and is not seen.
    seen += servers[numbers === null ? own : numbers[own]!] ?? 0;
  }
  return seen;
}

function seenServersWithTool(
  { snapshot, numbers }: Segment,
  term: number,
  { servers, partial, docBase }: ViewMask & Pick<SearchIndex, 'docBase'>,
): number {
  const { toolPostings, docServer, docBase: ownBase } = snapshot;
  let [count, last] = [0, -1];
  // Posted server by server.
  for (let i = toolPostings.starts[term]!; i < toolPostings.starts[term + 1]!; i++) {
    const tool = toolPostings.documents[i]!;
    const own = docServer[tool]!;
    const server = numbers === null ? own : numbers[own]!;
    if (own === last || servers[server] !== 1) continue;
    const number = docBase[server]! + tool - ownBase[own]!;
    if (partial?.servers.has(server) === true && partial.tools[number] !== 1) continue;
    count++;
    last = own;
  }
  return count;
}
