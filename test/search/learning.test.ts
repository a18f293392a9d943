/**
 * Simulations of use, through the real search room. The numbers they state (calls until a newcomer leads, failures
 * until a broken server falls, calls until it is back) are those of docs/search.md.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLearning } from '../../src/search/learning/learning.ts';
import type { Outcome } from '../../src/search/learning/learning-model.ts';
import { explorationBonus } from '../../src/search/learning/outcome-factor.ts';
import { handClock } from '../support/app.ts';
import { runsOf } from '../support/full-run.ts';
import { createLog, createWorld, embedder, server } from '../support/learning.ts';

const query = 'convert an amount of money into another currency';
const others = [
  server('mail', 'Mail', 'Sends and reads e-mail.'),
  server('maps', 'Maps', 'Routes, places and distances.'),
  server('music', 'Music', 'Plays songs and albums.'),
  server('weather', 'Weather', 'Forecasts for a place.'),
];
const popular = server(
  'popular',
  'Currency converter',
  'Converts an amount of money into another currency.',
  0.9,
);
const newcomer = server('newcomer', 'Exchange rates', 'Currency exchange rates for money amounts.');
const catalogue = [...others, popular, newcomer];

/** Numbers in 0..1, the same every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test('a better newcomer overtakes a popular tool that fails half the time, for everybody, within 25 calls', async (t) => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const world = await createWorld(t, catalogue);
    const random = seeded(seed);
    const works: Record<string, number> = { popular: 0.5, newcomer: 0.95 };
    assert.equal((await world.ask('stranger', query))[0]?.id, 'popular');
    let calls = 0;
    // Each developer calls what stands first and, when that fails, what stands next.
    for (let d = 0; (await world.ask('stranger', query))[0]?.id !== 'newcomer'; d++) {
      const developer = `dev_${d % 20}`;
      for (const [i, { id }] of (await world.ask(developer, query)).slice(0, 2).entries()) {
        const success = random() < (works[id] ?? 0);
        await world.call(developer, query, id, success, { rank: i + 1 });
        calls++;
        if (success) break;
      }
      assert.ok(calls <= 25, `seed ${seed}: ${calls} calls and the newcomer is not first`);
    }
    t.diagnostic(`seed ${seed}: first after ${calls} calls`);
  }
});

test('one developer repeating itself, with however many keys, moves nothing for anybody else', async (t) => {
  const world = await createWorld(t, catalogue);
  // Others have a history, and one of them uses the very catalogue the spammer is after.
  for (const developer of ['a', 'b', 'c']) await world.call(developer, query, 'popular', true);
  const viewers = ['a', 'b', 'c', 'stranger'];
  const queries = [query, 'currency', 'exchange rates', 'play a song', 'send mail', 'anything at all'];
  const seen = () => Promise.all(viewers.flatMap((viewer) => queries.map((text) => world.ask(viewer, text))));
  const before = await seen();
  // Keys are no part of an outcome: a hundred of them are one developer.
  for (let i = 0; i < 100; i++)
    await world.call('spammer', `${query} ${queries[i % 6]} ${i}`, 'newcomer', true, { rank: 10 });
  for (let i = 0; i < 100; i++) await world.call('spammer', query, 'music', false);
  assert.deepEqual(await seen(), before);
  assert.notDeepEqual(
    await world.ask('spammer', query),
    await world.ask('stranger', query),
    'its own it moved',
  );
});

test('failures of one developer weigh on a server no more than the successes of the others', async (t) => {
  const world = await createWorld(t, catalogue);
  for (const developer of ['a', 'b', 'c']) await world.call(developer, query, 'popular', true);
  for (let i = 0; i < 50; i++) await world.call('saboteur', query, 'popular', false);
  const [first] = await world.ask('stranger', query);
  assert.equal(first?.id, 'popular');
  const { good = 0, bad = 0 } = first?.explain?.outcomes ?? {};
  assert.ok(bad > 0 && bad <= good, `${bad} bad beside ${good} good`);
});

test('a server that breaks falls within 6 failures of its users, and is back within 12 calls or 20 days', async (t) => {
  const twin = { ...popular, id: 'twin', popularity: 0.5 };
  const world = await createWorld(t, [...others, popular, twin]);
  const users = ['a', 'b', 'c'];
  const first = async () => (await world.ask('stranger', query))[0]?.id;
  const until = async (id: string, most: number, success: boolean): Promise<number> => {
    for (let n = 0; n <= most; n++) {
      if ((await first()) === id) return n;
      await world.call(users[n % 3] ?? '', query, 'popular', success, { query: null });
    }
    return assert.fail(`${id} is not first after ${most} calls`);
  };
  for (let i = 0; i < 30; i++) await world.call(users[i % 3] ?? '', query, 'popular', true, { query: null });
  assert.equal(await first(), 'popular');
  t.diagnostic(`falls after ${await until('twin', 6, false)} failures`);
  t.diagnostic(`back after ${await until('popular', 12, true)} successes`);

  // Broken again, and nobody calls it any more: the failures fade.
  for (let i = 0; i < 24; i++) await world.call(users[i % 3] ?? '', query, 'popular', false, { query: null });
  assert.equal(await first(), 'twin');
  let days = 0;
  for (; (await first()) !== 'popular'; days++) {
    assert.ok(days < 20, 'after 20 days it is still not back');
    world.nextDay();
    await world.call('d', 'weather', 'weather', true);
  }
  t.diagnostic(`back after ${days} days without a call`);
});

test("what is the caller's fault does not count against a server", async (t) => {
  const world = await createWorld(t, catalogue);
  const before = await world.ask('a', query);
  for (const errorType of ['auth', 'rate_limit', 'invalid_arguments'])
    for (const developer of ['a', 'b']) await world.call(developer, query, 'popular', false, { errorType });
  assert.deepEqual(await world.ask('a', query), before);
});

test('one success teaches its developer the query, however little the text fits, and no other query', async (t) => {
  const world = await createWorld(t, catalogue);
  const texts = ['plays an album', 'send mail', query];
  const firsts = async () =>
    (await Promise.all(texts.map((text) => world.ask('a', text)))).map(([one]) => one?.id);
  const before = await firsts();
  assert.equal((await world.ask('a', 'songs of the eighties'))[0]?.id, 'music');
  await world.call('a', 'songs of the eighties', 'maps', true);
  assert.equal((await world.ask('a', 'Songs of the Eighties!'))[0]?.id, 'maps');
  assert.deepEqual(await firsts(), before);
});

test('forks and mirrors stand behind the best of them; one that differs in a tool stands for itself', async (t) => {
  const tools = ['to', 'from'].map((name) => ({ name, description: name, inputSchema: '{"type":"object"}' }));
  const twice = [...tools, { ...tools[0]!, name: 'more' }];
  const world = await createWorld(t, [
    ...others,
    { ...popular, tools },
    { ...popular, id: 'mirror', popularity: 0.2, tools: tools.toReversed() },
    { ...popular, id: 'fork', popularity: 0.3, tools: twice },
    { ...newcomer, tools },
  ]);
  const found = await world.ask('a', query);
  assert.deepEqual(
    found.slice(0, 3).map(({ id, also_available_from }) => [id, also_available_from]),
    [
      ['popular', ['mirror']],
      ['fork', undefined],
      ['newcomer', undefined],
    ],
  );
});

test('a newcomer that fits as well gains .02 of its score beside a tried server, and nothing where nobody was tried', () => {
  const [tried, untried] = [
    { good: 3, bad: 0 },
    { good: 0, bad: 0 },
  ];
  assert.equal(explorationBonus(tried, untried, 0.05), 1.02);
  assert.equal(explorationBonus(tried, untried, 0.2), 1, 'it must fit about as well');
  assert.equal(explorationBonus(tried, { good: 0, bad: 0.1 }, 0), 1, 'its first outcome ends it');
  assert.equal(explorationBonus(untried, untried, 0), 1);
});

const outcome = fc.record({
  id: fc.integer({ min: 1, max: 60 }).map((n) => `inv_${n}`),
  /** How late it is read, in milliseconds. */
  late: fc.nat({ max: 4_000 }),
  developerId: fc.constantFrom('a', 'b', 'c'),
  serverId: fc.constantFrom('mail', 'maps', 'popular'),
  success: fc.boolean(),
  calls: fc.integer({ min: 1, max: 12 }),
  words: fc.array(fc.constantFrom('send', 'letter', 'route', 'money', 'song'), {
    minLength: 1,
    maxLength: 4,
  }),
});

test('an outcome that stands for several calls weighs as they would one by one', async () => {
  const clock = handClock();
  const trialsAfter = async (outcomes: readonly (readonly [good: boolean, calls: number])[]) => {
    const log = createLog();
    const rows = ['a', 'b'].flatMap((developerId) =>
      outcomes.map(([success, calls], i) => {
        const id = `inv_${developerId}_${String(i).padStart(3, '0')}`;
        const fixed = { serverId: 'mail', toolName: 'run', errorType: null, query: null, rank: null };
        return { ...fixed, id, developerId, at: clock.now() + i, success, calls };
      }),
    );
    for (const row of rows) log.add(row);
    const learning = createLearning({ store: log, embedder, clock, onError: assert.fail });
    await learning.update();
    return learning.modelFor('stranger').outcomes('mail');
  };
  const once = (good: boolean, times: number) => Array.from({ length: times }, () => [good, 1] as const);
  const oneByOne = await trialsAfter([...once(true, 5), ...once(false, 3), ...once(true, 2)]);
  const together = await trialsAfter([
    [true, 5],
    [false, 3],
    [true, 2],
  ]);
  assert.ok(oneByOne.good > 0 && oneByOne.bad > 0);
  assert.deepEqual(together, oneByOne);
});

test('the state is a function of the log: read in steps, again and out of order, it is what a replay gives', async () => {
  const look = (learning: ReturnType<typeof createLearning>) =>
    ['a', 'b', 'stranger'].map((developer) => {
      const model = learning.modelFor(developer);
      const vectors = embedder.embed(['send a letter'], 'query') as Float32Array;
      const asked = { stems: ['send', 'letter'], vector: vectors, idfOf: () => 1 };
      const usage = [...model.scoreUsage(asked, [{ id: 'mail', relevance: 1 }])].sort(([x], [y]) =>
        x < y ? -1 : 1,
      );
      return [usage, ['mail', 'maps', 'popular'].map(model.outcomes)];
    });
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(outcome, { selector: ({ id }) => id, maxLength: 60 }), async (drawn) => {
      const clock = handClock();
      const rows: Outcome[] = drawn.map(({ late, words, ...rest }, i) => ({
        ...rest,
        at: clock.now() + i * 1_000 - late,
        toolName: 'run',
        errorType: null,
        query: words.join(' '),
        rank: 2,
      }));
      const deps = { embedder, clock, onError: assert.fail };
      const [stepLog, wholeLog] = [createLog(), createLog()];
      const stepwise = createLearning({ store: stepLog, ...deps });
      for (const [i, row] of rows.entries()) {
        stepLog.add(row);
        if (i % 7 === 0) await stepwise.update();
      }
      await stepwise.update();
      for (const row of rows.toReversed()) wholeLog.add(row);
      const replayed = createLearning({ store: wholeLog, ...deps });
      await replayed.update();
      assert.deepEqual(look(stepwise), look(replayed));
    }),
    { numRuns: runsOf(60) },
  );
});
