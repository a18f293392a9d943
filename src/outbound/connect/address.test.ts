import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMetadataAddress, isPublicAddress, parseAllowRules } from './address.ts';

test('E1: nothing but global unicast is public', () => {
  const blocked = [
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.1.1',
    '172.31.0.1',
    '192.0.0.8',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.1.1',
    '198.19.0.1',
    '198.51.100.1',
    '203.0.113.9',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::7f00:1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    'fe80::1',
    'fc00::1',
    'ff02::1',
    '64:ff9b::7f00:1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '3fff::1',
    'not an address',
  ];
  assert.deepEqual(blocked.filter(isPublicAddress), []);
  const open = ['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450:4001::1'];
  assert.deepEqual(
    open.filter((address) => !isPublicAddress(address)),
    [],
  );
});

test('E7: metadata services are recognised in every spelling', () => {
  assert.deepEqual(
    ['169.254.169.254', '100.100.100.200', 'fd00:ec2::254', '::ffff:169.254.169.254'].map(isMetadataAddress),
    [true, true, true, true],
  );
  assert.equal(isMetadataAddress('169.254.169.253'), false);
});

test('what the operator allows is allowed, and only that', () => {
  const rules = parseAllowRules(['localhost', 'mcp.internal:8080', '10.0.0.0/8', 'fd00::/8']);
  assert.deepEqual(
    [
      rules.host('localhost', 1),
      rules.host('mcp.internal', 8080),
      rules.host('mcp.internal', 80),
      rules.host('evil-localhost', 1),
    ],
    [true, true, false, false],
  );
  assert.deepEqual(
    [rules.host('10.9.9.9', 80), rules.host('[fd00::1]', 80), rules.host('11.0.0.1', 80)],
    [true, true, false],
  );
  assert.deepEqual(
    [
      rules.address('10.1.1.1'),
      rules.address('::ffff:10.1.1.1'),
      rules.address('fd12::1'),
      rules.address('192.168.0.1'),
    ],
    [true, true, true, false],
  );
});
