import assert from 'node:assert/strict';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { Problem } from '../base/problem.ts';
import { Secret } from '../base/secret.ts';
import { createOutbound } from '../outbound/outbound.ts';
import { createVault } from './vault.ts';
import { awsKmsWrapper, gcpKmsWrapper, optionalPackage } from './wrappers/cloud-kms.ts';
import type { KeyWrapper } from './wrappers/key-wrapper.ts';
import { localWrapper } from './wrappers/local-key.ts';
import { transitWrapper } from './wrappers/transit-key.ts';

const clock = { now: () => 0, monotonic: () => 0 };
const key = (kid: string) => ({ kid, key: randomBytes(32) });
const internal = (cause: RegExp) => (error: unknown) =>
  error instanceof Problem && error.kind === 'internal' && cause.test(String(error.cause));

test('K2 what is sealed opens in its own place and in no other, whatever the parts are', async () => {
  const vault = createVault({ keys: [key('k1')], clock });
  await fc.assert(
    fc.asyncProperty(
      fc.string(),
      fc.array(fc.string()),
      fc.array(fc.string()),
      async (text, binding, other) => {
        const sealed = await vault.seal(text, binding);
        assert.equal(await vault.open(sealed, binding), text);
        if (JSON.stringify(other) !== JSON.stringify(binding))
          await assert.rejects(vault.open(sealed, other), internal(/another place/));
      },
    ),
  );
  const sealed = await vault.seal('token', ['ab', 'c']);
  await assert.rejects(vault.open(sealed, ['a', 'bc']), internal(/another place/));
});

test('K1 a truncated tag, a changed or cut text, a foreign form: nothing opens', async () => {
  const vault = createVault({ keys: [key('k1')], clock });
  const sealed = await vault.seal('', ['b']);
  const [form, kid, wrapped, body = ''] = sealed.split('.');
  const bytes = Buffer.from(body, 'base64url');
  for (const length of [0, 4, 8, 12, 15]) {
    const cut = bytes.subarray(0, 12 + length).toString('base64url');
    await assert.rejects(
      vault.open([form, kid, wrapped, cut].join('.'), ['b']),
      internal(/cut short|sealed/),
    );
  }
  for (let place = 0; place < sealed.length; place++) {
    // The last character of a base64url part may hold bits that decode to nothing.
    if (['.', undefined].includes(sealed[place + 1]) || sealed[place] === '.') continue;
    const changed = sealed.slice(0, place) + (sealed[place] === 'A' ? 'B' : 'A') + sealed.slice(place + 1);
    await assert.rejects(vault.open(changed, ['b']), internal(/./), `place ${place}`);
  }
  for (const junk of ['', 'v1', 'v1.k1', 'v1.k1.a', 'v1.k1..', `${sealed}.x`, `v2${sealed.slice(2)}`])
    await assert.rejects(vault.open(junk, ['b']), internal(/./), junk);
});

test('K3 every text has a data key of its own, and says which key wrapped it', async () => {
  const vault = createVault({ keys: [key('k1')], clock });
  const [one, two] = [await vault.seal('same', ['b']), await vault.seal('same', ['b'])];
  assert.ok(one.startsWith('v1.k1.'));
  const parts = [one.split('.'), two.split('.')];
  assert.notEqual(parts[0]?.[2], parts[1]?.[2]);
  assert.notEqual(parts[0]?.[3], parts[1]?.[3]);
  await assert.rejects(vault.open([...one.split('.').slice(0, 3), two.split('.')[3]].join('.'), ['b']));
});

test('K4 a new first key seals, the old ones still open, and re-wrapping leaves the text as it was', async () => {
  const [k1, k2] = [key('k1'), key('k2')];
  const old = await createVault({ keys: [k1], clock }).seal('token', ['b']);
  const both = createVault({ keys: [k2, k1], clock });
  assert.ok((await both.seal('x', [])).startsWith('v1.k2.'));
  assert.equal(await both.open(old, ['b']), 'token');
  const anew = await both.rewrap(old);
  assert.equal(anew?.split('.')[3], old.split('.')[3], 'only the wrapped key changes');
  assert.equal(await both.rewrap(anew ?? ''), null);
  const next = createVault({ keys: [k2], clock });
  assert.equal(await next.open(anew ?? '', ['b']), 'token');
  await assert.rejects(next.open(old, ['b']), internal(/k1, which is not configured/));
});

test('a ticket opens under its own binding, in its time, unchanged, also in the next process with the same keys', () => {
  let now = 1_000;
  const turning = { now: () => now, monotonic: () => now };
  const [k1, k2] = [key('k1'), key('k2')];
  const { sealedTokens } = createVault({ keys: [k1], clock: turning });
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), fc.nat(), (text, binding, other, at) => {
      const sealed = sealedTokens.seal(text, binding, 10);
      assert.equal(sealedTokens.open(sealed, binding), text);
      if (other !== binding) assert.equal(sealedTokens.open(sealed, other), null);
      const place = 6 + (at % (sealed.length - 6));
      const changed = sealed.slice(0, place) + (sealed[place] === 'A' ? 'B' : 'A') + sealed.slice(place + 1);
      assert.equal(sealedTokens.open(changed, binding), null);
      assert.equal(sealedTokens.open(sealed.slice(0, -1), binding), null);
      assert.equal(sealedTokens.open(other, binding), null);
    }),
  );
  const sealed = sealedTokens.seal('text', 'b', 10);
  const bytes = Buffer.from(sealed.slice(6), 'base64url');
  for (const length of [4, 8, 12])
    assert.equal(
      sealedTokens.open(`t1.k1.${bytes.subarray(0, 18 + length).toString('base64url')}`, 'b'),
      null,
    );
  assert.equal(createVault({ keys: [k2, k1], clock: turning }).sealedTokens.open(sealed, 'b'), 'text');
  assert.equal(createVault({ keys: [key('k1')], clock: turning }).sealedTokens.open(sealed, 'b'), null);
  now += 10;
  assert.equal(sealedTokens.open(sealed, 'b'), 'text');
  now += 1;
  assert.equal(sealedTokens.open(sealed, 'b'), null);
});

/** A key service that really encrypts, under a key that stays with it. */
function service() {
  const secret = randomBytes(32);
  return {
    encrypt(plain: Uint8Array, context: string): Buffer {
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', secret, iv, { authTagLength: 16 });
      cipher.setAAD(Buffer.from(context));
      return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    decrypt(bytes: Uint8Array, context: string): Buffer {
      const decipher = createDecipheriv('aes-256-gcm', secret, bytes.subarray(0, 12), { authTagLength: 16 });
      decipher.setAAD(Buffer.from(context));
      decipher.setAuthTag(bytes.subarray(-16));
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
    },
  };
}

type Staged = {
  readonly wrapper: KeyWrapper;
  /** From now on the service does not answer. */
  readonly leave?: () => void;
};

/** The transit engine's two calls, as its documentation has them. */
async function stageTransit(t: TestContext): Promise<Staged> {
  const { encrypt, decrypt } = service();
  let gone = false;
  const leave = () => {
    gone = true;
  };
  const server = createServer(async (request, reply) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    const fields = JSON.parse(text) as Record<string, string>;
    const context = fields.associated_data ?? '';
    const answer = (status: number, data: object) => reply.writeHead(status).end(JSON.stringify({ data }));
    if (gone) return answer(503, {});
    if (request.headers['x-vault-token'] !== 'hvs.test') return answer(403, {});
    try {
      if (request.url === '/v1/transit/encrypt/rank') {
        const bytes = encrypt(Buffer.from(fields.plaintext ?? '', 'base64'), context);
        return answer(200, { ciphertext: `vault:v1:${bytes.toString('base64')}` });
      }
      const bytes = Buffer.from((fields.ciphertext ?? '').slice('vault:v1:'.length), 'base64');
      return answer(200, { plaintext: decrypt(bytes, context).toString('base64') });
    } catch {
      return answer(400, {});
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const outbound = createOutbound({ allowUpstreams: [`127.0.0.1:${port}`] });
  t.after(async () => {
    await outbound.close();
    server.close();
  });
  const wrapper = transitWrapper({
    kid: 'remote',
    keyUrl: `http://127.0.0.1:${port}/v1/transit/keys/rank`,
    token: new Secret('hvs.test'),
    post: outbound.request,
  });
  return { wrapper, leave };
}

async function stageAws(): Promise<Staged> {
  const { encrypt, decrypt } = service();
  let gone = false;
  const leave = () => {
    gone = true;
  };
  const answer = <T>(act: () => T) => {
    if (gone) throw Object.assign(new Error('no route'), { name: 'TimeoutError' });
    try {
      return act();
    } catch (cause) {
      throw Object.assign(new Error('bad', { cause }), { name: 'InvalidCiphertextException' });
    }
  };
  const wrapper = awsKmsWrapper('remote', 'arn:aws:kms:eu-west-1:1:key/a', async () => ({
    encrypt: async (asked) =>
      answer(() => ({ CiphertextBlob: encrypt(asked.Plaintext, JSON.stringify(asked.EncryptionContext)) })),
    decrypt: async (asked) =>
      answer(() => ({ Plaintext: decrypt(asked.CiphertextBlob, JSON.stringify(asked.EncryptionContext)) })),
  }));
  return { wrapper, leave };
}

async function stageGcp(): Promise<Staged> {
  const { encrypt, decrypt } = service();
  let gone = false;
  const leave = () => {
    gone = true;
  };
  const answer = <T>(act: () => T) => {
    if (gone) throw Object.assign(new Error('14 UNAVAILABLE'), { code: 14 });
    try {
      return act();
    } catch (cause) {
      throw Object.assign(new Error('3 INVALID_ARGUMENT', { cause }), { code: 3 });
    }
  };
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
  const wrapper = gcpKmsWrapper('remote', 'projects/p', async () => ({
    encrypt: async (asked) =>
      answer(() => [{ ciphertext: encrypt(asked.plaintext, text(asked.additionalAuthenticatedData)) }]),
    decrypt: async (asked) =>
      answer(() => [{ plaintext: decrypt(asked.ciphertext, text(asked.additionalAuthenticatedData)) }]),
  }));
  return { wrapper, leave };
}

const stages: Readonly<Record<string, (t: TestContext) => Promise<Staged>>> = {
  local: async () => ({ wrapper: localWrapper(key('remote')) }),
  transit: stageTransit,
  'AWS KMS': stageAws,
  'Google Cloud KMS': stageGcp,
};

for (const [name, stage] of Object.entries(stages)) {
  test(`K3 ${name}: what a key wraps it unwraps, in the same context only, and a changed one never`, async (t) => {
    const { wrapper, leave } = await stage(t);
    const dataKey = randomBytes(32);
    const wrapped = await wrapper.wrap(dataKey, 'context');
    assert.deepEqual(await wrapper.unwrap(wrapped, 'context'), dataKey);
    assert.equal(wrapped.includes(dataKey), false);
    const wrong = (error: unknown) => !(error instanceof Problem);
    await assert.rejects(wrapper.unwrap(wrapped, 'other'), wrong);
    const last = wrapped.length - 9;
    wrapped[last] = (wrapped[last] ?? 0) ^ 1;
    await assert.rejects(wrapper.unwrap(wrapped, 'context'), wrong);

    const vault = createVault({ keys: [wrapper], clock });
    const sealed = await vault.seal('token', ['b']);
    assert.equal(await vault.open(sealed, ['b']), 'token');
    leave?.();
    if (leave !== undefined)
      await assert.rejects(
        vault.open(sealed, ['b']),
        (error: unknown) => error instanceof Problem && error.kind === 'unavailable',
      );
  });
}

test('a cloud whose client is not installed is named, with the command that installs it', async () => {
  await assert.rejects(
    optionalPackage('@mcprank/not-installed', 'k1'),
    /k1 needs the package @mcprank\/not-installed: npm install/,
  );
});
