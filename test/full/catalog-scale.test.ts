import assert from 'node:assert/strict';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import { temporaryFolder } from '../support/app.ts';
import { engines, openTestStore, testVault } from '../support/stores.ts';

/** The public registry of autumn 2026; a run without PostgreSQL (`npm test`) takes a fifth of it. */
const whole = { servers: 28_000, tools: 150_000 };
const part = process.env.TEST_DATABASE_URL === undefined ? 5 : 1;
const invocations = 20_000;

/** Rows of the size real ones have: about 700 bytes a tool. */
function* generate(servers: number, tools: number): Generator<string> {
  const words =
    'send list create update delete search event message calendar invoice file report user query'.split(' ');
  const word = (n: number) => words[n % words.length];
  let made = 0;
  for (let s = 0; s < servers; s += 1) {
    const upTo = Math.floor(((s + 1) * tools) / servers);
    const list = [];
    for (; made < upTo; made += 1) {
      const properties = Object.fromEntries(
        Array.from({ length: 5 }, (_, i) => [
          `${word(made + i)}_${i}`,
          { type: 'string', description: `The ${word(made * 7 + i)} to ${word(made * 3 + i)}, as text` },
        ]),
      );
      list.push({
        name: `${word(made)}_${word(made * 5 + 1)}_${made}`,
        description: `Tool ${made}: ${Array.from({ length: 20 }, (_, i) => word(made * i + s)).join(' ')}.`,
        inputSchema: { type: 'object', properties, required: Object.keys(properties).slice(0, 2) },
      });
    }
    const row = {
      id: `org.example-${s % 500}/server-${s}`,
      name: `Server ${s}`,
      description: `Number ${s} helps to ${word(s)} and ${word(s * 3)}`,
      remote_url: `https://s${s}.example/mcp`,
      tools: list,
    };
    yield `${JSON.stringify(row)}\n`;
  }
}

for (const engine of engines) {
  test(`${engine.name}: ${whole.servers / part} servers are imported within 1 GB, an unchanged file changes nothing, and 40,000 outcomes are all recorded`, {
    skip: engine.skip,
  }, async (t: TestContext) => {
    const size = { servers: whole.servers / part, tools: whole.tools / part };
    const file = join(temporaryFolder(t), 'large.jsonl');
    await pipeline(generate(size.servers, size.tools), createWriteStream(file));
    const storage = await openTestStore(t, engine);
    const catalog = createCatalog({
      storage,
      vault: testVault,
      clock: systemClock,
      outbound: { request: () => assert.fail('nothing here goes out') },
      config: { registryUrl: 'https://registry.example', starterFile: '/nowhere' },
      log: createTelemetry({ level: 'silent' }).log,
    });
    const timed = async <T>(act: () => Promise<T>): Promise<[T, number]> => {
      const started = performance.now();
      return [await act(), performance.now() - started];
    };
    const [report, importMs] = await timed(() => catalog.importFile(file, { source: 'scale' }));
    assert.deepEqual([report.added, report.tools, report.skipped], [size.servers, size.tools, 0]);
    const [again, againMs] = await timed(() => catalog.importFile(file, { source: 'scale', replace: true }));
    assert.deepEqual([again.unchanged, again.removed], [size.servers, 0]);
    const [, popularityMs] = await timed(() => catalog.rankingSignals());

    const { servers } = await catalog.list({ limit: 50 });
    const record = async (durable: boolean) => {
      let left = invocations;
      const caller = async () => {
        while (left-- > 0) {
          const { id, tools } = servers[left % servers.length]!;
          const call = {
            developerId: `dev_${left % 50}`,
            keyId: 'key',
            serverId: id,
            toolName: tools[0]!.name,
            success: true,
          };
          await catalog.recordInvocation({ ...call, idempotencyKey: `${durable}${left}` }, { durable });
        }
      };
      // Sixty-four callers, as a busy server has.
      await Promise.all(Array.from({ length: 64 }, caller));
      await catalog.flush();
    };
    const [, durableMs] = await timed(() => record(true));
    const [, behindMs] = await timed(() => record(false));
    const rssMb = Math.round(process.memoryUsage().rss / 1e6);
    const perSecond = (ms: number) => Math.round((invocations / ms) * 1_000);
    t.diagnostic(
      `import ${(importMs / 1_000).toFixed(1)} s, again ${(againMs / 1_000).toFixed(1)} s, RSS ${rssMb} MB, popularity ` +
        `${Math.round(popularityMs)} ms, outcomes ${perSecond(durableMs)}/s durable, ${perSecond(behindMs)}/s behind`,
    );
    // How fast is a matter of bench/; that it stays within a process is a promise.
    assert.ok(rssMb < 1_000, `RSS ${rssMb} MB`);
    const recorded = await storage
      .tables<{ invocations: { id: string } }>()
      .selectFrom('invocations')
      .select((is) => is.fn.countAll<number>().as('n'))
      .executeTakeFirstOrThrow();
    assert.equal(Number(recorded.n), 2 * invocations);
    await catalog.close();
  });
}
