import assert from 'node:assert/strict';
import { test } from 'node:test';
import { typedCommand, withTypedCommands } from './typed-command.ts';

test('a hint names the command as it can be typed where it is shown', () => {
  const cases: readonly [script: string, isCheckout: boolean, typed: string][] = [
    ['/home/ann/mcprank/bin/mcprank.js', true, 'npx mcprank'],
    ['/home/ann/.npm/_npx/e715/node_modules/.bin/mcprank', true, 'npx mcprank'],
    ['/home/ann/project/node_modules/.bin/mcprank', false, 'npx mcprank'],
    ['/usr/local/bin/mcprank', false, 'mcprank'],
    ['/app/bin/mcprank.js', false, 'node /app/bin/mcprank.js'],
    ['/srv/with room/bin/mcprank.js', false, 'node "/srv/with room/bin/mcprank.js"'],
    ['', false, 'npx mcprank'],
  ];
  for (const [script, isCheckout, typed] of cases) assert.equal(typedCommand(script, isCheckout), typed);
  const hint = 'run `mcprank vault rotate`, then `mcprank serve`; mcprank is its name, `mcprank` too';
  assert.equal(
    withTypedCommands(hint, 'npx mcprank'),
    'run `npx mcprank vault rotate`, then `npx mcprank serve`; mcprank is its name, `mcprank` too',
  );
});
