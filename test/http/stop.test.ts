import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { defaultLimits } from '../../src/http/http.ts';
import { bootApp } from '../support/app.ts';

/** One request on a connection that is kept; its status, and whether the connection ends with it. */
function ask(url: string, agent: Agent): Promise<{ status: number; isLast: boolean }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent }, (reply) => {
      reply.resume();
      reply.once('end', () =>
        resolve({ status: reply.statusCode ?? 0, isLast: reply.headers.connection === 'close' }),
      );
    });
    asked.once('error', reject);
    asked.end();
  });
}

test('a stop under load loses nothing: what still comes is answered, each connection for the last time, and the balancer is told first', async (t) => {
  const limits = { ...defaultLimits, lateMs: Number.POSITIVE_INFINITY, drainMs: 300 };
  const app = await bootApp(t, {}, { limits });
  await app.services.search.settled();
  const agents = Array.from({ length: 16 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  t.after(() => {
    for (const agent of agents) agent.destroy();
  });
  const answers = agents.map((): number[] => []);
  const client = async (agent: Agent, i: number) => {
    for (;;) {
      const { status, isLast } = await ask(`${app.url}/v1/health`, agent);
      answers[i]?.push(status);
      if (isLast) return;
    }
  };
  const clients = agents.map(client);
  while (answers.some(({ length }) => length === 0)) await delay(10);
  const began = performance.now();
  const stopped = app.close();
  const ready = await fetch(`${app.url}/readyz`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /waiting for accepting/);
  await Promise.all(clients);
  for (const statuses of answers) {
    assert.ok(statuses.length > 1);
    assert.ok(statuses.every((status) => status === 200));
  }
  await stopped;
  assert.ok(performance.now() - began < limits.graceMs, 'nobody had to be cut off');
  assert.deepEqual(
    app.lines.filter((line) => line.includes('"level":"error"')),
    [],
  );
});
