import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scanJson } from '../../base/json-scanner.ts';
import type { Problem } from '../../base/problem.ts';
import type { ArgumentCondition, Effect } from '../policy-model.ts';
import { checkCondition, fitsArguments } from './argument-conditions.ts';

const fits = (condition: ArgumentCondition, json: string | null, effect: Effect = 'allow') =>
  fitsArguments([condition], json === null ? null : scanJson(Buffer.from(json)), effect);

test('a condition is held against the value at its path', () => {
  for (const [condition, json, expected] of [
    [{ path: 'to', equals: 'ann' }, '{"to":"ann"}', true],
    [{ path: 'to', equals: 'ann' }, '{"\\u0074o":"\\u0061nn"}', true],
    [{ path: 'to', equals: 'ann' }, '{"to":["ann"]}', false],
    [{ path: 'to', equals: 'ann' }, '{}', false],
    [{ path: 'to', equals: 'ann' }, null, false],
    [{ path: 'to', equals: null }, '{"to":null}', true],
    [{ path: 'a.b.1', equals: 2 }, '{"a":{"b":[1,2.0]}}', true],
    [{ path: '$.a', equals: true }, '{"a":true}', true],
    [{ path: '/a.b/c', equals: { d: [1] } }, '{"a.b":{"c":{"d":[1]}}}', true],
    [{ path: 'amount', max: 100 }, '{"amount":100}', true],
    [{ path: 'amount', max: 100 }, '{"amount":1e3}', false],
    [{ path: 'amount', max: 100 }, '{"amount":"1"}', false],
    [{ path: 'path', prefix: '/home/' }, '{"path":"/home/ann"}', true],
    [{ path: 'path', prefix: '/home/' }, '{"path":"/etc/home/"}', false],
    [{ path: 'to', matches: '@example\\.com$' }, '{"to":"ann@example.com"}', true],
    [{ path: 'to', matches: '@example\\.com$' }, '{"to":"ann@example.com.evil"}', false],
  ] as const)
    for (const effect of ['allow', 'deny'] as const)
      assert.equal(fits(condition, json, effect), expected, `${JSON.stringify(condition)} ${json} ${effect}`);
});

test('of several values an allow wants all of them, a deny one', () => {
  const condition = { path: 'to.*', matches: '@example\\.com$' };
  const mixed = '{"to":["a@example.com","b@evil.com"]}';
  assert.deepEqual([fits(condition, mixed, 'allow'), fits(condition, mixed, 'deny')], [false, true]);
  assert.equal(fits(condition, '{"to":["a@example.com"]}', 'allow'), true);
  assert.equal(fits(condition, '{"to":[]}', 'allow'), false);
});

test('what nobody can tell counts against the caller: a member twice, a text too long, a number beyond 2^53', () => {
  const long = `{"to":"${'x'.repeat(30_000)}"}`;
  for (const [condition, json] of [
    [{ path: 'to', equals: 'ann' }, '{"to":"ann","to":"eve"}'],
    [{ path: 'to', equals: 'ann' }, '{"to":"eve","\\u0074o":"ann"}'],
    [{ path: 'to', matches: 'y' }, long],
    [{ path: 'id', equals: 2 ** 53 }, '{"id":9007199254740993}'],
  ] as const) {
    assert.equal(fits(condition, json, 'allow'), false, json.slice(0, 50));
    assert.equal(fits(condition, json, 'ask'), true, json.slice(0, 50));
    assert.equal(fits(condition, json, 'deny'), true, json.slice(0, 50));
  }
});

test('a condition says one thing, and its pattern is one that ends', () => {
  const faultOf = (condition: ArgumentCondition) => {
    try {
      checkCondition(condition, 'rules[0].arguments[0]');
    } catch (error) {
      return (error as Problem).detail;
    }
    return null;
  };
  assert.match(faultOf({ path: 'a' }) ?? '', /^rules\[0\]\.arguments\[0\]: expected one of equals/);
  assert.match(faultOf({ path: 'a', equals: 1, max: 2 }) ?? '', /expected one of/);
  assert.match(
    faultOf({ path: 'a', matches: '(a)\\1' }) ?? '',
    /^rules\[0\]\.arguments\[0\]\.matches: expected/,
  );
  assert.equal(faultOf({ path: 'a', equals: null }), null);
});
