import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientAddress } from './client-address.ts';

const trusted = ['10.0.0.0/8', 'fd00::/8'];
const rows: readonly (readonly [
  what: string,
  peer: string,
  headers: Record<string, string>,
  address: string,
])[] = [
  [
    'nobody is believed who is no trusted proxy',
    '192.0.2.9',
    { 'x-forwarded-for': '198.51.100.1' },
    '192.0.2.9',
  ],
  ['one proxy', '10.0.0.1', { 'x-forwarded-for': '198.51.100.1' }, '198.51.100.1'],
  [
    'what the client wrote itself does not count',
    '10.0.0.1',
    { 'x-forwarded-for': '1.1.1.1, 198.51.100.1' },
    '198.51.100.1',
  ],
  ['two proxies', '10.0.0.1', { 'x-forwarded-for': '1.1.1.1, 198.51.100.1, 10.2.2.2' }, '198.51.100.1'],
  ['a port is no part of it', '10.0.0.1', { 'x-forwarded-for': '198.51.100.1:4711' }, '198.51.100.1'],
  ['IPv6 in brackets', '::ffff:10.0.0.1', { 'x-forwarded-for': '[2001:db8::1]:443' }, '2001:db8::1'],
  ['Forwarded', 'fd00::1', { forwarded: 'for=1.1.1.1, for="[2001:db8::1]:47";proto=https' }, '2001:db8::1'],
  ['nothing said', '10.0.0.1', {}, '10.0.0.1'],
  ['what is no address', '10.0.0.1', { 'x-forwarded-for': '198.51.100.1, unknown' }, '10.0.0.1'],
  ['all are ours', '10.0.0.1', { 'x-forwarded-for': '10.3.3.3, 10.2.2.2' }, '10.3.3.3'],
  [
    'two fields that disagree: one of them is the client’s',
    '10.0.0.1',
    { 'x-forwarded-for': '198.51.100.1', forwarded: 'for=203.0.113.7' },
    '10.0.0.1',
  ],
];

for (const [what, peer, headers, address] of rows)
  test(`the address behind proxies: ${what}`, () => {
    assert.equal(clientAddress(peer, headers, trusted), address);
  });

test('without trusted proxies the connection counts, whatever is said', () => {
  assert.equal(clientAddress('10.0.0.1', { 'x-forwarded-for': '198.51.100.1' }, []), '10.0.0.1');
});
