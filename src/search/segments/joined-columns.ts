/** Columns and stored fields of several segments, by the numbers of the index that they make up. */
import type { ServerColumns, Snapshot } from '../index/snapshot.ts';
import { openDocuments, type StoredDocuments } from '../index/stored-fields.ts';
import type { Places, Run } from './runs.ts';

type Joined = {
  readonly snapshots: readonly Snapshot[];
  readonly runs: readonly Run[];
  readonly docBase: Uint32Array;
};

type Column = Uint8Array | Uint16Array | Float32Array | Float64Array;

export function joinColumns({ snapshots, runs, docBase }: Joined): Omit<ServerColumns, 'tags'> {
  const columns = snapshots.map((each) => each.columns);
  const servers = docBase.length - 1;
  const names = [...new Set(columns.flatMap((each) => each.names))];
  const join = <T extends Column>(into: T, columnOf: (of: ServerColumns) => T): T => {
    for (const { segment, from, to, count } of runs)
      into.set(columnOf(columns[segment]!).subarray(from, from + count), to);
    return into;
  };
  const joinNames = (columnOf: (of: ServerColumns) => Uint16Array) => {
    const numbers = columns.map((each) => each.names.map((name) => names.indexOf(name)));
    const into = new Uint16Array(servers);
    for (const { segment, from, to, count } of runs) {
      const column = columnOf(columns[segment]!);
      for (let i = 0; i < count; i++) into[to + i] = numbers[segment]![column[from + i]!]!;
    }
    return into;
  };
  const hints = new Uint8Array(docBase[servers]!);
  for (const { segment, from, to, count } of runs) {
    const { docBase: own } = snapshots[segment]!;
    hints.set(columns[segment]!.hints.subarray(own[from], own[from + count]), docBase[to]);
  }
  return {
    names,
    transport: joinNames(({ transport }) => transport),
    auth: joinNames(({ auth }) => auth),
    category: joinNames(({ category }) => category),
    verified: join(new Uint8Array(servers), ({ verified }) => verified),
    trusted: join(new Uint8Array(servers), ({ trusted }) => trusted),
    popularity: join(new Float32Array(servers), ({ popularity }) => popularity),
    fingerprint: join(new Float64Array(servers), ({ fingerprint }) => fingerprint),
    software: join(new Float64Array(servers), ({ software }) => software),
    hints,
  };
}

export function joinDocuments({ snapshots, docBase }: Joined, { segments, locals }: Places): StoredDocuments {
  const opened = snapshots.map(({ stored }) => openDocuments(stored));
  const at = <T>(document: number, read: (of: StoredDocuments, own: number) => T): T => {
    const server = serverOf(docBase, document);
    const segment = segments[server]!;
    const first = snapshots[segment]!.docBase[locals[server]!]!;
    return read(opened[segment]!, first + document - docBase[server]!);
  };
  return {
    server: (document) => at(document, (of, own) => of.server(own)),
    tool: (document) => at(document, (of, own) => of.tool(own)),
    toolName: (document) => at(document, (of, own) => of.toolName(own)),
    byteLength: (document) => at(document, (of, own) => of.byteLength(own)),
    copyMembers: (document, target, to) => at(document, (of, own) => of.copyMembers(own, target, to)),
    copyValue: (document, target, to) => at(document, (of, own) => of.copyValue(own, target, to)),
  };
}

/** The last server that begins at the document or before it (binary search). */
function serverOf(docBase: Uint32Array, document: number): number {
  let low = 0;
  let high = docBase.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (docBase[middle]! <= document) low = middle;
    else high = middle - 1;
  }
  return low;
}
