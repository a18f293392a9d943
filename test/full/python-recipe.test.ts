import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { adminKey, bootApp, temporaryFolder } from '../support/app.ts';
import { googleRow, startGoogleApi } from '../support/google-api.ts';
import { connectUser, providerSettings, startIdp } from '../support/oidc.ts';
import { python } from '../support/python.ts';

const { 2: interpreter } = python;
const modules = 'import googleapiclient, google_auth_httplib2';
const isThere = spawnSync(interpreter, ['-c', modules]).status === 0;

/** What a program does behind the recipe: a long query, both kinds of upload, a MIT that is no good any more. */
const use = `
from googleapiclient.http import MediaInMemoryUpload
messages = gmail.users().messages()
print(messages.list(userId="me", q="x" * 4000 + " and \\u00fc").execute())
drive = google_service("drive", "v3", "ann")
for resumable in (False, True):
    media = MediaInMemoryUpload(b"hello", resumable=resumable)
    print(drive.files().create(body={"name": "x"}, media_body=media).execute())
gmail._http.credentials.token = "no.good.token"
print(messages.list(userId="me").execute())
`;

test('29 the recipe of docs/proxy.md for Python runs as it stands', {
  skip: isThere ? false : `${interpreter} has no google-api-python-client: .ci/run puts it there`,
}, async (t) => {
  const idp = await startIdp(t);
  const api = await startGoogleApi(t, idp);
  const env = providerSettings(t, { google: googleRow(idp, api) }, idp);
  const app = await bootApp(t, { ...env, MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1' });
  await connectUser(app, { userId: 'ann', provider: 'google' });
  const document = readFileSync(new URL('../../docs/proxy.md', import.meta.url), 'utf8');
  const recipe = /```python\n(.*?)```/s.exec(document)?.[1];
  const file = join(temporaryFolder(t), 'recipe.py');
  writeFileSync(file, `${recipe}${use}`);
  const { stdout } = await promisify(execFile)(interpreter, [file], {
    env: { ...process.env, BASE: app.url, KEY: adminKey },
  });
  assert.deepEqual(
    stdout
      .trim()
      .split('\n')
      .map((line) => /'id': '(.*?)'/.exec(line)?.[1]),
    ['of alice', 'of alice', 'multipart', 'resumable', 'of alice'],
  );
  assert.ok(api.calls.some((call) => call.startsWith('GET /gmail/v1/users/me/messages?q=xxx')));
  assert.ok(!api.calls.some((call) => call.startsWith('POST /gmail')));
});
