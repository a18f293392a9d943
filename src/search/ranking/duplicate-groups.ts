/** Forks and mirrors: servers of the same fingerprint, where several have it. */
export type DuplicateGroups = {
  /** Each server's group; 0 for those that are like no other. */
  readonly groupOf: Uint32Array;
  /** The servers of each group, in order. */
  readonly groups: readonly (readonly number[])[];
};

export function groupDuplicates(fingerprints: Float64Array): DuplicateGroups {
  const sharing = new Map<number, number[]>();
  const sorted = fingerprints.toSorted();
  for (const [i, print] of sorted.entries())
    if (print !== 0 && print === sorted[i + 1]) sharing.set(print, []);
  for (const [server, print] of fingerprints.entries()) sharing.get(print)?.push(server);
  const groups = [[], ...sharing.values()];
  const groupOf = new Uint32Array(fingerprints.length);
  for (const [group, servers] of groups.entries()) for (const server of servers) groupOf[server] = group;
  return { groupOf, groups };
}

/** The first so many of them, forks and mirrors left out behind the best of their kind. */
export function withoutDuplicates(
  servers: readonly number[],
  { groupOf }: DuplicateGroups,
  limit: number,
): number[] {
  const seen: number[] = [];
  const leaders: number[] = [];
  for (const server of servers) {
    if (leaders.length === limit) break;
    const group = groupOf[server]!;
    if (seen.includes(group)) continue;
    if (group !== 0) seen.push(group);
    leaders.push(server);
  }
  return leaders;
}

/** Whether a server can be called from this installation; `own`: its configuration names it. */
export const callability = { uncallable: 0, callable: 1, own: 2 } as const;

/** By a server that the operator runs, the others that are the same software: it stands for them. */
export type OwnMirrors = ReadonlyMap<number, readonly number[]>;

export function groupOwnMirrors(
  { fingerprint, software }: { readonly fingerprint: Float64Array; readonly software: Float64Array },
  callabilities: Uint8Array,
): OwnMirrors {
  const own: number[] = [];
  for (let s = 0; s < callabilities.length; s++) if (callabilities[s] === callability.own) own.push(s);
  const mirrors = new Map<number, readonly number[]>();
  const isSame = (prints: Float64Array, a: number, b: number) => prints[a] !== 0 && prints[a] === prints[b];
  for (const server of own) {
    const same = [...callabilities.keys()].filter(
      (other) =>
        callabilities[other] !== callability.own &&
        (isSame(software, server, other) || isSame(fingerprint, server, other)),
    );
    if (same.length > 0) mirrors.set(server, same);
  }
  return mirrors;
}
