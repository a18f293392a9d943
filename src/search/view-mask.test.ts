import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { searchedServer, startSearchRoom } from '../../test/support/search-room.ts';
import { createIndexBuilder } from './index/index-builder.ts';
import { loadBuiltInEmbedder, readHit } from './search.ts';
import type { SearchView } from './search-model.ts';
import { createPatchBuilder } from './segments/patch-builder.ts';
import { wholeIndex } from './segments/search-index.ts';
import { createViewMasks } from './view-mask.ts';

const open: { close(): Promise<void> }[] = [];
after(() => Promise.all(open.map((room) => room.close())));

const tool = (name: string, description: string) => ({ name, description, inputSchema: '{"type":"object"}' });
const topics = ['glacier', 'invoice', 'walrus', 'tractor', 'saffron', 'anchor', 'violin', 'compass'];
const seenServers = topics.map((topic, i) =>
  searchedServer(`seen-${i}`, `All about the ${topic} and its ${topics[(i + 3) % topics.length]}`, {
    tools: [
      tool(`read_${topic}`, `Reads a ${topic}`),
      tool(`hidden_${topic}`, `Sends a letter`),
      tool(`list_${topic}`, `Lists one ${topics[(i + 1) % topics.length]} after another`),
    ],
  }),
);

/** The same servers, and beside them hidden ones and hidden tools whose words are these. */
function withHidden(word: string, howMany: number) {
  const beside = Array.from({ length: howMany }, (_, i) =>
    searchedServer(`own-${i}`, `All about the ${word} and its ${word}`, {
      tools: [tool(`read_${word}`, `Reads a ${word}`)],
    }),
  );
  const seen = seenServers.map((server) => ({
    ...server,
    tools: server.tools.map((each) =>
      each.name.startsWith('hidden') ? tool(each.name, `Sends a ${word}`) : each,
    ),
  }));
  return [...seen, ...beside];
}

const view: SearchView = {
  key: 'seen',
  toolsOf: ({ id }) =>
    id.startsWith('own-') ? 'none' : (each) => each === null || !each.name.startsWith('hidden'),
};
const everything: SearchView = { key: 'everything', toolsOf: () => 'all' };
const queries = [
  'glacier walrus',
  'glacier',
  'invoice of a walrus',
  'read a glacier, and list a tractor. Send the saffron.',
];

async function answers(servers: ReturnType<typeof withHidden>, by: SearchView | null) {
  const room = await startSearchRoom(servers);
  open.push(room);
  const found = queries.map((query) => room.ask(query, { view: by, explain: true }));
  return (await Promise.all(found)).map(({ page: { nextCursor: _, ...page } }) => JSON.stringify(page));
}

test('a word of what is hidden moves no score of what is seen, also where that has the word', async () => {
  const [quiet, loud] = [withHidden('letter', 3), withHidden('glacier', 3)];
  assert.deepEqual(await answers(loud, view), await answers(quiet, view));
  assert.notDeepEqual(await answers(loud, null), await answers(quiet, null), 'unhidden it does');
});

test('who sees everything by a view is answered as who has none', async () => {
  const servers = withHidden('glacier', 3);
  const whole = await answers(servers, null);
  assert.deepEqual(await answers(servers, everything), whole);
  // Also where it took a look at every tool.
  assert.deepEqual(await answers(servers, { key: 'each', toolsOf: () => () => true }), whole);
});

test('a hidden tool takes no place of a seen one, in a long query either', async () => {
  const glaciers = Array.from({ length: 4 }, (_, i) => tool(`hidden_glacier_${i}`, 'Reads a glacier'));
  const [first = searchedServer('none', '')] = seenServers;
  const room = await startSearchRoom([
    { ...first, tools: [...glaciers, tool('walk', 'Walks over it')] },
    ...seenServers.slice(1),
  ]);
  open.push(room);
  for (const query of [
    'read a glacier',
    'Read a glacier, its height, width, temperature, colour, weight and age, from north to south. List tractors, compasses, anchors, violins, harbours, bridges and towers in alphabetical order. Send saffron, pepper, cinnamon, vanilla, ginger and cardamom to every walrus by letter.',
  ]) {
    const { page } = await room.ask(query, { view, toolLimit: 1 });
    const hit = page.hits.find(({ serverId }) => serverId === first.id);
    assert.deepEqual(hit && readHit(hit).tools.map(({ name }) => name), ['walk']);
  }
});

test('a change of the catalogue asks a view of what changed alone', async () => {
  const embedder = loadBuiltInEmbedder();
  const builder = createIndexBuilder(embedder);
  const servers = Array.from({ length: 25 }, (_, n) =>
    seenServers.map((server) => ({ ...server, id: `${server.id}-${n}` })),
  ).flat();
  await builder.apply(servers.map((server) => ({ id: server.id, revision: 1, server })));
  const built = { snapshot: builder.build(1), lexicon: builder.lexicon };
  const asked: string[] = [];
  const counted: SearchView = {
    key: 'counted',
    toolsOf(server) {
      asked.push(server.id);
      return view.toolsOf(server);
    },
  };
  createViewMasks(wholeIndex(built))(counted);
  assert.equal(asked.splice(0).length, servers.length);

  const patch = createPatchBuilder(embedder, built);
  const [first = searchedServer('none', ''), second = first] = servers;
  await patch.apply([
    { id: first.id, revision: 2, server: { ...first, description: 'All about the anchor and its tractor' } },
    { id: second.id, revision: 3, server: null },
  ]);
  const index = patch.build(3);
  assert.ok(index !== null);
  const mask = createViewMasks(index)(counted);
  assert.deepEqual(asked, [first.id]);
  assert.deepEqual([mask?.serverCount, mask?.toolCount], [servers.length - 1, 2 * (servers.length - 1)]);
});
