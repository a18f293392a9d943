/**
 * The service beside a stand-in for Google: a real authorisation server (oidc-provider) whose user always agrees, and an
 * API that asks it about every bearer. Prints what docs/proxy.md needs; ends with Ctrl-C.
 *
 *   npm run example examples/google-double.ts
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApp } from '../src/app.ts';
import { parseConfig } from '../src/config.ts';
import { googleRow, startGoogleApi } from '../test/support/google-api.ts';
import { providerSettings, startIdp } from '../test/support/oidc.ts';

const ends: (() => unknown)[] = [];
const scope = { after: (act: () => unknown) => void ends.push(act) } as never;
const folder = mkdtempSync(join(tmpdir(), 'mcprank-double-'));
const idp = await startIdp(scope);
const api = await startGoogleApi(scope, idp);
const app = await startApp(
  parseConfig({
    ...providerSettings(scope, { google: googleRow(idp, api) }, idp),
    MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
    MCPRANK_DATA_DIR: folder,
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_LOG: 'error',
  }),
);
console.log(`export BASE=${app.url} KEY=${app.firstKey}`);
process.once('SIGINT', async () => {
  await app.close();
  for (const end of ends) await end();
  rmSync(folder, { recursive: true, force: true });
  process.exit();
});
