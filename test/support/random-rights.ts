import fc from 'fast-check';

/** A small world to ask about: servers, their tools, principals, and toolsets at random. */
export type Tool = {
  readonly name: string;
  readonly description: string;
  readonly annotations: { readonly readOnlyHint: boolean; readonly destructiveHint: boolean };
};
export type Server = {
  readonly id: string;
  readonly tags: readonly string[];
  readonly category: string;
  /** Its annotations are believed. */
  readonly verified: boolean;
  /** Developers who see it; null: everybody. */
  readonly seenBy: readonly string[] | null;
  readonly tools: readonly Tool[];
};
export type Rule = {
  readonly effect: Effect;
  readonly server?: string;
  readonly tool?: string;
  readonly tags?: readonly string[];
  readonly categories?: readonly string[];
  readonly readOnly?: boolean;
  readonly destructive?: boolean;
  readonly arguments?: readonly { readonly path: 'to'; readonly prefix: string }[];
};
export type Toolset = {
  readonly rules: readonly Rule[];
  readonly default: 'allow' | 'deny';
  readonly keys: readonly number[];
  readonly developers: readonly string[];
};
type Effect = 'allow' | 'ask' | 'deny';
export type Answer = Effect | 'unknown';

/** The operator's, two developers with two keys each, and one with one. */
export const keyHolders = ['admin', 'ann', 'ann', 'bob', 'bob', 'cy'] as const;

const nouns =
  'xylophone walrus glacier origami tractor saffron lighthouse bagpipe meteor cactus violin submarine parrot volcano quilt anchor beehive compass dynamo easel falcon gondola harpsichord igloo jackal kayak lantern mango'.split(
    ' ',
  );
const toolNames = ['read_one', 'write_one', 'read_all', 'drop_all'];

/** 28 tools: as many as are listed as they are at /mcp, and two fewer than are not. */
export const servers: readonly Server[] = [
  { id: 'files', tags: ['disk'], category: 'Storage', verified: true, seenBy: null },
  { id: 'mail', tags: ['net', 'post'], category: 'Post', verified: false, seenBy: null },
  { id: 'chat', tags: ['net'], category: 'Post', verified: true, seenBy: null },
  { id: 'code', tags: [], category: 'Work', verified: false, seenBy: ['admin', 'ann'] },
  { id: 'bank', tags: ['net', 'money'], category: 'Money', verified: true, seenBy: ['admin'] },
  { id: 'wiki', tags: ['disk'], category: 'Work', verified: false, seenBy: null },
  { id: 'ops', tags: ['money'], category: 'Work', verified: true, seenBy: ['admin', 'bob', 'cy'] },
].map((server, s) => ({
  ...server,
  tools: toolNames.map((name, i) => ({
    name,
    description: `All about the ${nouns[s * toolNames.length + i]}`,
    annotations: { readOnlyHint: name.startsWith('read'), destructiveHint: name.startsWith('drop') },
  })),
}));

const ids = servers.map(({ id }) => id);
const some = <T>(of: readonly T[]) => fc.uniqueArray(fc.constantFrom(...of), { minLength: 1, maxLength: 2 });
const rule = fc.record(
  {
    effect: fc.constantFrom('allow', 'allow', 'ask', 'deny'),
    server: fc.constantFrom(...ids, 'm*', '*s', '*i*'),
    tool: fc.constantFrom(...toolNames, 'read_*', '*_all', 'none'),
    tags: some(['disk', 'net', 'post', 'money', 'none']),
    categories: some(['Storage', 'Post', 'Work', 'Money']),
    readOnly: fc.boolean(),
    destructive: fc.boolean(),
    arguments: fc.constantFrom([{ path: 'to', prefix: 'a' }], [{ path: 'to', prefix: 'b' }]),
  },
  { requiredKeys: ['effect'] },
) as fc.Arbitrary<Rule>;
/** Most rules say one thing or two: what says seven fits nothing. */
const thinRule = fc.tuple(rule, fc.integer({ min: 0, max: 2 }), fc.nat()).map(([whole, count, from]) => {
  const { effect, ...rest } = whole;
  const said = Object.entries(rest);
  const kept = Array.from(
    { length: Math.min(count, said.length) },
    (_, i) => said[(from + i) % said.length]!,
  );
  return { effect, ...Object.fromEntries(kept) } as Rule;
});
const toolset: fc.Arbitrary<Toolset> = fc.record({
  rules: fc.array(thinRule, { maxLength: 6 }),
  default: fc.constantFrom('allow', 'deny'),
  keys: fc.uniqueArray(fc.nat(keyHolders.length - 1), { maxLength: 2 }),
  developers: fc.subarray([...new Set(keyHolders)]),
});

/** So many worlds of three toolsets each. */
export function randomToolsets(count: number, seed: number): readonly (readonly Toolset[])[] {
  return fc.sample(fc.tuple(toolset, toolset, toolset), { numRuns: count, seed });
}
