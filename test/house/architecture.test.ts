import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { findCycles, readSources, type Source } from '../support/source-graph.ts';

/** The house of docs/architecture.md: every room and its floor. */
const floors: Readonly<Record<string, number>> = {
  // config.ts stands on the shelf of base/.
  base: 0,
  config: 1,
  storage: 2,
  outbound: 2,
  vault: 2,
  jobs: 2,
  telemetry: 2,
  catalog: 3,
  connections: 3,
  webhooks: 3,
  identity: 3,
  access: 3,
  policy: 3,
  search: 4,
  mcp: 4,
  proxy: 4,
  http: 5,
  'mcp-server': 5,
  'sign-in': 5,
  diagnostics: 5,
  api: 6,
  app: 7,
  cli: 8,
};
/** Between floors 4 and 3 these arrows exist and no other. */
const upperArrows = new Set(['search→catalog', 'mcp→catalog', 'mcp→connections', 'proxy→connections']);
/** Rooms that are no rooms: any file of theirs may be imported from above. */
const openShelves = new Set(['base', 'config']);
const roomFiles = 10;
/**
 * `http` has two doors: the server, and the language in which a route is declared. Of `api` a command prints the JSON of a
 * search with `--json`, as the API answers it.
 */
const doors: Readonly<Record<string, readonly string[]>> = {
  http: ['http/http.ts', 'http/route.ts'],
  api: ['api/search-json.ts'],
};
const doorsOf = (room: string): readonly string[] => doors[room] ?? [`${room}/${room}.ts`, `${room}.ts`];
/** Folders that are lists, one file an entry: commands, subjects of the URL, steps of the schema, single helpers. */
const lists = new Set(['.', 'base', 'cli', 'api', 'storage/schema']);

/** Rooms whose folders stand in an order: each knows those before it, and no other. */
const folderOrders: Readonly<Record<string, readonly string[]>> = {
  'sign-in': ['clients', 'tokens', 'company', 'server'],
  connections: ['providers', 'authorization-servers', 'tokens', 'machines', 'sessions'],
};

type RoomSource = Source & { readonly room: string };

const sources: RoomSource[] = readSources('src').map((source) => ({ ...source, room: roomOf(source.file) }));

function roomOf(file: string): string {
  return file.split('/')[0]?.replace(/\.ts$/, '') ?? '';
}

/** Every import of another room's file. */
function crossings(): { from: RoomSource; target: string; room: string }[] {
  return sources.flatMap((from) =>
    from.imports.flatMap(({ target }) =>
      target === null || target.startsWith('..') || roomOf(target) === from.room
        ? []
        : [{ from, target, room: roomOf(target) }],
    ),
  );
}

function offenders(found: readonly { from: Source; target: string }[]): string[] {
  return found.map(({ from, target }) => `${from.file} → ${target}`);
}

test('every folder and file of src is a room of the house', () => {
  assert.deepEqual(
    sources.filter(({ room }) => floors[room] === undefined).map(({ file }) => file),
    [],
  );
});

test('arrows point downwards, and rooms on one floor do not know each other', () => {
  const wrong = crossings().filter(({ from, room }) => (floors[room] ?? 99) >= (floors[from.room] ?? 0));
  assert.deepEqual(offenders(wrong), []);
});

test('of the rooms on floors 4 and 3 only the named ones know each other', () => {
  const wrong = crossings().filter(
    ({ from, room }) =>
      floors[from.room] === 4 && floors[room] === 3 && !upperArrows.has(`${from.room}→${room}`),
  );
  assert.deepEqual(offenders(wrong), []);
});

test('a room is entered by its door only; app.ts may also take plug-ins', () => {
  const wrong = crossings().filter(
    ({ from, target, room }) =>
      from.room !== 'app' && !openShelves.has(room) && !doorsOf(room).includes(target),
  );
  assert.deepEqual(offenders(wrong), []);
});

test('no file imports itself by way of others, types included', () => {
  assert.deepEqual(findCycles(sources), []);
});

for (const [room, order] of Object.entries(folderOrders))
  test(`the folders of ${room} know each other in one direction: ${order.join(' ← ')}`, () => {
    const placeOf = (file: string) => order.indexOf(file.split('/')[1] ?? '');
    const within = sources.flatMap((from) =>
      from.imports.flatMap(({ target }) =>
        from.room === room && target !== null && roomOf(target) === room ? [{ from, target }] : [],
      ),
    );
    const isInFolder = (file: string) => placeOf(file) !== -1;
    assert.deepEqual(
      sources.filter(({ file }) => roomOf(file) === room && file.split('/').length > 2 && !isInFolder(file)),
      [],
      'every folder has its place in the order',
    );
    const upwards = within.filter(
      ({ from, target }) => isInFolder(from.file) && placeOf(target) > placeOf(from.file),
    );
    assert.deepEqual(offenders(upwards), []);
    // What the folders share at the room's root knows none of them: else it would be a way round.
    const shared = new Set(
      within
        .filter(({ from, target }) => isInFolder(from.file) && !isInFolder(target))
        .map(({ target }) => target),
    );
    const wayRound = within.filter(({ from, target }) => shared.has(from.file) && isInFolder(target));
    assert.deepEqual(offenders(wayRound), []);
  });

test('a room has at most ten files, and folders are at most two deep', () => {
  const counts = new Map<string, number>();
  for (const { file } of sources) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
  const crowded = [...counts].filter(([folder, count]) => !lists.has(folder) && count > roomFiles);
  assert.deepEqual(crowded, []);
  assert.deepEqual(
    sources.filter(({ file }) => file.split('/').length > 3).map(({ file }) => file),
    [],
  );
});

/** What only some places may do: a pattern, and where it is allowed. */
const privileges: readonly {
  readonly what: string;
  readonly pattern: RegExp;
  readonly allowed: (file: string) => boolean;
}[] = [
  {
    what: 'the router',
    pattern: /from 'find-my-way'/,
    allowed: (file) => file.startsWith('http/'),
  },
  {
    what: 'requests and replies',
    pattern: /from 'node:http'/,
    allowed: (file) => file.startsWith('http/'),
  },
  {
    what: 'sockets',
    pattern: /from '(undici|node:(https|http2|tls|dgram|dns|dns\/promises))'|(?<![.\w])fetch\(/,
    allowed: (file) => file.startsWith('outbound/'),
  },
  {
    what: 'node:net',
    pattern: /from 'node:net'/,
    allowed: (file) => /^(outbound|http)\//.test(file) || file === 'base/ip-networks.ts',
  },
  {
    what: 'SQL',
    pattern: /from '(kysely|kysely\/migration|pg|node:sqlite)'/,
    allowed: (file) => file.startsWith('storage/') || file.endsWith('-store.ts'),
  },
  { what: 'the environment', pattern: /process\.env/, allowed: (file) => file === 'config.ts' },
  {
    what: 'the console',
    pattern: /\bconsole\.\w|process\.(stdout|stderr)/,
    allowed: (file) => /^(cli|telemetry)\//.test(file),
  },
  {
    what: 'child processes',
    pattern: /from 'node:child_process'/,
    allowed: (file) => file === 'mcp/programs/stdio-process.ts',
  },
  { what: 'JWT', pattern: /from 'jose'/, allowed: (file) => file.startsWith('identity/') },
  {
    what: 'node:crypto',
    pattern: /from 'node:crypto'/,
    allowed: (file) => /^(vault|identity|access|connections|webhooks)\//.test(file) || file === 'base/id.ts',
  },
];

for (const { what, pattern, allowed } of privileges) {
  test(`${what}: only where the house says`, () => {
    assert.deepEqual(
      sources.filter(({ file, text }) => pattern.test(text) && !allowed(file)).map(({ file }) => file),
      [],
    );
  });
}

test('whoever does not sign in does not pay for it: node-oidc-provider is loaded by its first request', () => {
  const values = /^(?:import|export) (?!type )[^;]*?from '([^']+)'/gms;
  const loads = (file: string, what: RegExp) =>
    [...(sources.find((each) => each.file === file)?.text ?? '').matchAll(values)].some(([, from = '']) =>
      what.test(from),
    );
  const eager = sources.filter(
    ({ file }) => !file.startsWith('sign-in/server/') && loads(file, /^oidc-provider$|\/server\//),
  );
  assert.deepEqual(
    eager.map(({ file }) => file),
    [],
  );
  assert.ok(loads('sign-in/server/authorization-server.ts', /^oidc-provider$/));
});

test('no route reaches a server past the policy: its calls come from api/policy-enforcement.ts alone', () => {
  const routes = sources.find(({ file }) => file === 'app/routes.ts')?.text ?? '';
  assert.match(routes, /createPolicyEnforcement\(services\)/);
  assert.deepEqual(
    [...routes.matchAll(/\bservices\.mcp\b[\w.]*/g)].map(([use]) => use),
    // Probes are the operator's own: they list, and call nothing; what a program wrote is read from memory.
    ['services.mcp.probe', 'services.mcp.probeAddress', 'services.mcp.outputOf'],
  );
  assert.ok(!routes.includes('...services,'), 'what is handed on is named');
  const past = sources.filter(
    ({ file, text }) => /\bcreateMcp\(/.test(text) && !/^(mcp\/mcp|app\/services)\.ts$/.test(file),
  );
  assert.deepEqual(
    past.map(({ file }) => file),
    [],
  );
});
