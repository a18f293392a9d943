import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePasted, suggestId } from '../../console/src/server-entry/pasted-server.ts';

const url = 'https://mcp.example.com/mcp';
const http = { url, transport: 'streamable-http' } as const;

test('what is pasted is understood: a URL, files of every client, a part of one, a command line', () => {
  const auth = [{ name: 'Authorization', value: 'Bearer x' }];
  const headers = { Authorization: 'Bearer x' };
  const cases: readonly (readonly [
    text: string,
    servers: readonly object[],
    programs?: readonly string[],
  ])[] = [
    [` ${url}\n`, [{ ...http, name: '', headers: [] }]],
    [JSON.stringify({ mcpServers: { mail: { url, headers } } }), [{ ...http, name: 'mail', headers: auth }]],
    [JSON.stringify({ servers: { mail: { type: 'http', url } } }), [{ ...http, name: 'mail', headers: [] }]],
    [JSON.stringify({ mail: { serverUrl: url } }), [{ ...http, name: 'mail', headers: [] }]],
    [JSON.stringify({ url }), [{ ...http, name: '', headers: [] }]],
    [`"mail": ${JSON.stringify({ httpUrl: url })},`, [{ ...http, name: 'mail', headers: [] }]],
    [
      '{"a": {"url": "https://a.example/sse"}}',
      [{ url: 'https://a.example/sse', name: 'a', transport: 'sse', headers: [] }],
    ],
    ['{"mcpServers": {"memory": {"command": "npx"}}}', [], ['memory']],
    [
      `claude mcp add --transport http mail ${url} --header "Authorization: Bearer x"`,
      [{ ...http, name: 'mail', headers: auth }],
    ],
    [
      JSON.stringify({ mcpServers: { mail: { url, headers: { Authorization: 'Bearer $' + '{TOKEN}' } } } }),
      [{ ...http, name: 'mail', headers: [{ name: 'Authorization', value: '' }] }],
    ],
    [
      `// mine\n{ /* of the editor */ "mcp": { "inputs": [], "servers": { "mail": { "url": "${url}", "headers": {"X-Key": "\${input:key}",}, }, }, }, }`,
      [{ ...http, name: 'mail', headers: [{ name: 'X-Key', value: '' }] }],
    ],
    ...['{{token}}', '<your token>', '$TOKEN', 'Bearer YOUR_API_KEY', '{env:TOKEN}'].map(
      (value) =>
        [
          JSON.stringify({ mcpServers: { mcp: { url, headers: { 'X-Key': value } } } }),
          [{ ...http, name: 'mcp', headers: [{ name: 'X-Key', value: '' }] }],
        ] as const,
    ),
    [
      `"mail": {"url": "${url}", "headers": {"X-Said": "a // b, } /* c"}},`,
      [{ ...http, name: 'mail', headers: [{ name: 'X-Said', value: 'a // b, } /* c' }] }],
    ],
    ['', []],
  ];
  for (const [text, servers, programs = []] of cases)
    assert.deepEqual(parsePasted(text), { servers, programs }, text);
  for (const text of ['{', '{}', '[]', 'hello', '{"a": 1}', 'ftp://x.example', '"a'])
    assert.equal(parsePasted(text), null, text);
});

test('an id is suggested as the registry writes them', () => {
  const cases = [
    [url, '', 'com.example/mcp'],
    [url, 'Example Mail', 'com.example/example-mail'],
    ['https://mail.example.co.uk/', '', 'uk.co.example.mail/mcp'],
    ['http://127.0.0.1:3001/mcp', '', 'local/3001'],
    ['http://localhost:3001/mcp', 'files', 'local/files'],
  ];
  for (const [address = '', name = '', id = ''] of cases) assert.equal(suggestId(address, name), id);
});
