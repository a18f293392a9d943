import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runsOf } from '../../../test/support/full-run.ts';
import { cleanJson, cleanText, scrubText, scrubUrl } from './scrub.ts';

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
const alphanumeric = `${letters}0123456789`;
/** Random as keys are: letters and digits in one run. */
const random = (length: number, alphabet = alphanumeric) =>
  fc
    .array(fc.constantFrom(...alphabet), { minLength: length, maxLength: length })
    .map((chars) => chars.join(''))
    .filter((text) => (text.match(/\d/g)?.length ?? 0) >= 2 && /[A-Za-z]/.test(text));
const capitals = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

const secrets: Readonly<Record<string, fc.Arbitrary<string>>> = {
  'sk- keys': random(32).map((body) => `sk-${body}`),
  'sk-proj- keys': random(48).map((body) => `sk-proj-${body}`),
  'sk-ant- keys': random(60).map((body) => `sk-ant-api03-${body}-AA`),
  'our own keys': random(32, '0123456789abcdef').map((body) => `sk_mcp_rank_${body}`),
  'payment keys': random(24).map((body) => `sk_live_${body}`),
  'GitHub tokens': random(36).map((body) => `ghp_${body}`),
  'GitHub fine-grained tokens': random(60).map((body) => `github_pat_${body}`),
  'GitLab tokens': random(20).map((body) => `glpat-${body}`),
  'Slack tokens': random(24).map((body) => `xoxb-123456789012-${body}`),
  'AWS key ids': random(16, capitals).map((body) => `AKIA${body}`),
  'Google keys': random(35).map((body) => `AIza${body}`),
  JWTs: fc.tuple(random(20), random(30), random(43)).map(([a, b, c]) => `eyJ${a}.${b}.${c}`),
  'bearer values': random(40).map((body) => `Authorization: Bearer ${body}`),
  'hex after a name': random(40, '0123456789abcdef').map((body) => `api_key=${body}`),
  'base64 in JSON': random(44).map((body) => `"clientSecret": "${body}"`),
  'a UUID as a key': fc.uuid().map((body) => `apiKey: ${body}`),
  'passwords in URLs': random(12).map((body) => `postgres://admin:${body}@db.internal:5432/app`),
  'private keys': random(64).map(
    (body) => `-----BEGIN RSA PRIVATE KEY-----\n${body}\n-----END RSA PRIVATE KEY-----`,
  ),
};
const prose = fc.constantFrom('', 'Use ', 'Example: "', 'curl -H ', '(', 'set\n', 'key is ');
const after = fc.constantFrom('', ' here.', '"', ')', '\nand go on', ', then');

for (const [kind, secret] of Object.entries(secrets)) {
  test(`${kind} never survive ingest`, () => {
    fc.assert(
      fc.property(prose, secret, after, (before, value, rest) => {
        const clean = cleanText(`${before}${value}${rest}`);
        const core = /[A-Za-z0-9]{12,}/g;
        const longest = (value.match(core) ?? [value]).reduce((a, b) => (b.length > a.length ? b : a));
        assert.ok(!clean.includes(longest), clean);
        assert.ok(clean.includes('[redacted]'));
        assert.ok(clean.startsWith(before.trimEnd()) && clean.endsWith(rest));
        assert.equal(cleanText(clean), clean);
      }),
      { numRuns: runsOf(60) },
    );
  });
}

const ordinary = [
  'Send an email with subject, body and attachments via the Gmail API.',
  'Install with npx -y @modelcontextprotocol/server-sequential-thinking@2025.7.1',
  'sk-learn-contrib-imbalanced-learning-toolkit for scikit-learn',
  'id e.g. 550e8400-e29b-41d4-a716-446655440000',
  'commit 818bf169b365e7b7d5b117352e32757c54844718',
  'https://github.com/modelcontextprotocol/servers/tree/main/src/filesystem',
  'Authorization: Bearer YOUR_API_TOKEN_GOES_HERE',
  'Set OPENAI_API_KEY=your-openai-api-key-goes-here',
  'api_key: string, the key of your account; token (optional): a pagination token',
  'postgresql://user:password@localhost:5432/mydb',
  'xoxb-your-slack-bot-token',
  'ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
  'Contract 0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48 on Ethereum',
  'io.github.some-org/very-long-package-name-with-many-words',
  "'payment_context_token': '60a8e027-8b8b-4ccf-b2b9-380ed0930283'",
  'starts with -----BEGIN PRIVATE KEY----- or ``-----BEGIN RSA PRIVATE KEY-----`` and so on',
  'npmjs-com-package-thriveventurelabs-accountsos-mcp-7c122688',
  'mailto:someone@example.com and https://example.com/@user',
  'internationalization, electroencephalographically, get_v2_user_notifications_settings',
  '多くの言語で検索します。 Ищет документы. 👩‍💻',
];
for (const text of ordinary) {
  test(`ordinary text is left as it is: ${text.slice(0, 50)}`, () => assert.equal(cleanText(text), text));
}

test('text without keys is left as it is, whatever it says', () => {
  const word = fc.string({ unit: fc.constantFrom(...letters, '-', '_', '.', '/'), maxLength: 15 });
  fc.assert(
    fc.property(fc.array(word, { maxLength: 30 }), (words) => {
      const text = words.map((each) => each.slice(0, 11)).join(' ');
      assert.equal(scrubText(text), text);
    }),
  );
});

test('control characters and lone surrogates are taken out, so that any store takes the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const clean = cleanText(`${text}\u0000\ud800\u0085\ufeff`);
      assert.ok(clean.isWellFormed());
      assert.ok(!/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/.test(clean));
    }),
  );
  assert.equal(cleanText('two\nlines\tand a tab'), 'two\nlines\tand a tab');
});

test('a hostile text costs linear time', () => {
  const started = performance.now();
  for (const piece of ['sk-', 'token=', 'a://b:', '-----BEGIN PRIVATE KEY-----', 'Bearer ', 'eyJaaaaaaaa.']) {
    cleanText(piece.repeat(2_000_000 / piece.length));
  }
  assert.ok(performance.now() - started < 5_000, `took ${performance.now() - started} ms`);
});

test('a URL loses its user and the credentials in its query, and nothing else', () => {
  const cases = {
    'https://mcp.example.com/mcp': 'https://mcp.example.com/mcp',
    'https://me:hunter2@mcp.example.com/mcp': 'https://mcp.example.com/mcp',
    'https://h.example/mcp?api_key=abc&region=eu': 'https://h.example/mcp?api_key={api_key}&region=eu',
    'https://h.example/mcp?smitheryApiKey=f0e1-22': 'https://h.example/mcp?smitheryApiKey={smitheryApiKey}',
    'https://h.example/mcp?token={token}': 'https://h.example/mcp?token={token}',
    'https://{tenant}.example/mcp?keyword=x&page=2': 'https://{tenant}.example/mcp?keyword=x&page=2',
    'https://h.example/@scope/server/mcp': 'https://h.example/@scope/server/mcp',
  };
  for (const [url, expected] of Object.entries(cases)) assert.equal(scrubUrl(url), expected);
});

test('a schema is cleaned in its depths, and keeps a key named __proto__', () => {
  const schema = JSON.parse(
    '{"type":"object","properties":{"__proto__":{"default":"ghp_abcdefghij0123456789abcdefghij"}}}',
  ) as unknown;
  assert.equal(
    JSON.stringify(cleanJson(schema)),
    '{"type":"object","properties":{"__proto__":{"default":"[redacted]"}}}',
  );
});
