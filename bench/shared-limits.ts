/** `tools/call` of a service that shares its limits in Redis, beside one that counts its own: two that take turns. */
import { noRedis, startRedis } from '../test/support/redis.ts';
import { doors, openDoor, startService } from './mcp-doors.ts';
import { cpuMs, leaveFirstCore, load, median, printTable, serve, startFlags } from './support.ts';

const rounds = 7;
const seconds = 2;

export async function run(): Promise<void> {
  if (noRedis !== false) return console.log(`skipped: ${noRedis}`);
  leaveFirstCore();
  const ends: (() => Promise<void>)[] = [];
  const redis = await startRedis({ after: (act) => void ends.push(act) });
  const upstream = await serve(
    [new URL('peers/mcp-upstream.ts', import.meta.url).pathname, 'json', '1000'],
    {},
    {
      pin: false,
    },
  );
  const checkout = new URL('..', import.meta.url).pathname;
  const open = async (env: Readonly<Record<string, string>>) => {
    const served = await startService(checkout, upstream.url, startFlags, env);
    ends.push(() => served.stop());
    const call = await openDoor(doors[0] as (typeof doors)[number], served.url);
    await load({ ...call, connections: 16, seconds: 3 });
    return { served, call, rates: [] as number[], cpu: [] as number[], p99: [] as number[] };
  };
  const [own, shared] = [await open({}), await open({ REDIS_URL: redis.url })];
  for (let round = 0; round < rounds; round++)
    for (const side of round % 2 === 0 ? [own, shared] : [shared, own]) {
      const before = cpuMs(side.served);
      const { perSecond, latencies, p99 } = await load({ ...side.call, connections: 16, seconds });
      side.cpu.push(((cpuMs(side.served) - before) * 1_000) / latencies.length);
      side.rates.push(perSecond);
      side.p99.push(p99);
    }
  const row = (
    name: string,
    of: (side: typeof own) => readonly number[],
    isMet: (ratio: number) => boolean,
    bar: string,
  ) => {
    const ratio = median(of(shared)) / median(of(own));
    return [
      name,
      median(of(shared)).toFixed(0),
      median(of(own)).toFixed(0),
      ratio.toFixed(2),
      bar,
      isMet(ratio) ? 'met' : 'MISSED',
    ];
  };
  printTable(
    ['row', 'limits in Redis', 'its own', 'ratio', 'bar', ''],
    [
      row(
        'calls a second',
        ({ rates }) => rates,
        (ratio) => ratio >= 0.92,
        '≥ .92',
      ),
      row(
        'CPU, µs a call',
        ({ cpu }) => cpu,
        (ratio) => ratio <= 1.08,
        '≤ 1.08',
      ),
      row(
        'p99, ms',
        ({ p99 }) => p99,
        () => true,
        '',
      ),
    ],
  );
  for (const end of ends.toReversed()) await end();
  await upstream.stop();
}
