import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../test/support/app.ts';
import { readSettings, writeSettings } from './json-settings.ts';

test("what is not ours in another program's settings stays as it is written, numbers too", (t) => {
  const path = join(temporaryFolder(t), 'settings.json');
  const others =
    '{\n    "id": 12345678901234567890,\n    "rate": 1.0,\n    "__proto__": {\n        "a": 1e5\n    }';
  writeFileSync(path, `${others}\n}\n`);
  const settings = readSettings(path);
  writeSettings({ ...settings, content: { ...settings.content, ours: 1 } });
  assert.equal(readFileSync(path, 'utf8'), `${others},\n    "ours": 1\n}\n`);
});

test('settings that another program wrote meanwhile are left to it', (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'settings.json');
  const none = readSettings(path);
  writeFileSync(path, '{"theirs": 1}');
  const some = readSettings(path);
  writeFileSync(path, '{"theirs": 2}');
  for (const settings of [none, some])
    assert.throws(() => writeSettings({ ...settings, content: {} }), /written by another program/);
  assert.equal(readFileSync(path, 'utf8'), '{"theirs": 2}');
  assert.deepEqual(readdirSync(folder), ['settings.json']);
});
