import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createLookup, type LookupOptions } from '../../src/outbound/connect/lookup.ts';
import { type NameFiles, openNameFiles } from '../../src/outbound/connect/name-files.ts';
import { startDns, type Zone } from '../support/dns-server.ts';

const noFiles: NameFiles = { addressesOf: () => [], candidatesFor: (name) => [name], revision: () => 0 };

/** Look-ups in a zone of our own; getaddrinfo knows nothing unless it is given. */
async function lookupIn(t: TestContext, zone: Zone, options: LookupOptions = {}) {
  const dns = await startDns(t, zone);
  const fallbacks: string[] = [];
  const lookup = createLookup({
    servers: [dns.server],
    files: noFiles,
    async fallback(name) {
      fallbacks.push(name);
      throw new Error('getaddrinfo knows it no better');
    },
    ...options,
  });
  return { lookup, asked: dns.asked, fallbacks };
}

test('both families are found, IPv4 first; addresses need no look-up, and an answer is kept', async (t) => {
  const { lookup, asked } = await lookupIn(t, {
    'both.test': ['2606:4700::1', '1.2.3.4'],
    'six.test': ['2606:4700::2'],
  });
  assert.deepEqual(await lookup('both.test'), ['1.2.3.4', '2606:4700::1']);
  assert.deepEqual(await lookup('BOTH.test'), await lookup('both.test'));
  assert.deepEqual(await lookup('six.test'), ['2606:4700::2']);
  assert.deepEqual([await lookup('9.9.9.9'), await lookup('::1')], [['9.9.9.9'], ['::1']]);
  assert.deepEqual(asked.toSorted(), ['both.test A', 'both.test AAAA', 'six.test A', 'six.test AAAA']);
});

test('one look-up is under way for a name, whoever asks; a failure is kept, too', async (t) => {
  const { lookup, asked, fallbacks } = await lookupIn(t, { 'one.test': ['1.2.3.4'] });
  await Promise.all(Array.from({ length: 20 }, (_, i) => lookup('one.test', i % 2 === 0)));
  assert.equal(asked.length, 2);
  for (let i = 0; i < 5; i++) await assert.rejects(lookup('none.test'), /knows it no better/);
  assert.deepEqual(fallbacks, ['none.test']);
});

test('names that take their time stop nobody else: neither other names nor files', async (t) => {
  const slow = Array.from({ length: 60 }, (_, i) => `slow${i}.test`);
  const zone: Zone = {
    ...Object.fromEntries(slow.map((name) => [name, 'silence'])),
    'good.test': ['1.2.3.4'],
  };
  const { lookup } = await lookupIn(t, zone, { deadlineMs: 1_500 });
  const waiting = slow.map((name) => lookup(name));
  const others = Promise.all([lookup('good.test'), readFile(import.meta.filename)]);
  const first = await Promise.race([
    others.then(() => 'others'),
    ...waiting.map((each) => each.catch(() => 'slow')),
  ]);
  assert.equal(first, 'others');
  for (const each of waiting) await assert.rejects(each, /more than 1500 ms/);
  // At once: that it fails is known by now.
  await assert.rejects(lookup(slow[0] ?? ''), /more than 1500 ms/);
});

test('so many names are looked up at once, and what is asked in the background takes none of the places of calls', async (t) => {
  const names = ['a.test', 'b.test', 'c.test', 'd.test'];
  const zone: Zone = {
    ...Object.fromEntries(names.map((name) => [name, 'silence'])),
    'good.test': ['1.2.3.4'],
  };
  const { lookup } = await lookupIn(t, zone, { deadlineMs: 500, maxLookups: { calls: 2, background: 1 } });
  const probe = lookup('a.test', true);
  await assert.rejects(lookup('b.test', true), /too many/);
  assert.deepEqual(await lookup('good.test'), ['1.2.3.4']);
  const calls = [lookup('c.test'), lookup('d.test')];
  await assert.rejects(lookup('e.test'), /too many/);
  await Promise.allSettled([probe, ...calls]);
  await assert.rejects(lookup('e.test'), /no better/);
});

test('getaddrinfo is asked for what DNS does not know, one name at a time, and a slow one holds up only such names', async (t) => {
  let underWay = 0;
  let most = 0;
  const { lookup, asked } = await lookupIn(
    t,
    { 'known.test': ['1.2.3.4'] },
    {
      deadlineMs: 600,
      async fallback(name) {
        most = Math.max(most, ++underWay);
        await delay(name === 'slow.local' ? 900 : 1);
        underWay--;
        return ['10.1.1.1'];
      },
    },
  );
  const slow = lookup('slow.local');
  while (asked.length < 2) await delay(1);
  const behind = lookup('behind.local');
  assert.deepEqual(await lookup('known.test'), ['1.2.3.4']);
  await assert.rejects(slow, /more than 600 ms/);
  await assert.rejects(behind, /more than 600 ms|did not begin in time/);
  await delay(400);
  assert.deepEqual(await lookup('later.local'), ['10.1.1.1']);
  assert.equal(most, 1);
});

test('where no DNS server answers at all, getaddrinfo is asked', async () => {
  const lookup = createLookup({
    servers: ['127.0.0.1:1'],
    files: noFiles,
    fallback: async () => ['10.1.1.1'],
  });
  assert.deepEqual(await lookup('any.test'), ['10.1.1.1']);
});

test('the hosts file comes first; search domains apply to short names, and absolute names have none; localhost is here', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-names-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const files = openNameFiles(
    write('hosts', '10.0.0.1 Db db.corp # ours\n# 10.0.0.2 db\n\n10.0.0.3\tdb\nnonsense db\n'),
    write(
      'resolv.conf',
      'search wrong\nsearch first.test  second.test\noptions edns0 ndots:2\nnameserver 127.0.0.1\n',
    ),
  );
  const zone: Zone = {
    'app.second.test': ['1.1.1.1'],
    'a.b.c': ['2.2.2.2'],
    app: ['3.3.3.3'],
    'x.y': ['4.4.4.4'],
  };
  const { lookup, asked } = await lookupIn(t, zone, { files });
  assert.deepEqual(await lookup('DB'), ['10.0.0.1', '10.0.0.3']);
  assert.deepEqual(await lookup('localhost'), ['127.0.0.1', '::1']);
  assert.equal(asked.length, 0);
  assert.deepEqual(await lookup('app'), ['1.1.1.1']);
  assert.deepEqual(await lookup('app.'), ['3.3.3.3']);
  assert.deepEqual(await lookup('x.y'), ['4.4.4.4']);
  assert.deepEqual(await lookup('a.b.c'), ['2.2.2.2']);
  assert.deepEqual(
    asked.filter((each) => each.endsWith(' A')),
    [
      'app.first.test A',
      'app.second.test A',
      'app A',
      'x.y.first.test A',
      'x.y.second.test A',
      'x.y A',
      'a.b.c A',
    ],
  );
});
