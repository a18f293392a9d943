import type { TestContext } from 'node:test';
import { bootApp, type TestApp } from './app.ts';
import { type GoogleApi, googleRow, startGoogleApi } from './google-api.ts';
import { providerSettings, startIdp } from './oidc.ts';

/** The app with Google's API and its authorisation server on the loopback interface. */
export async function bootGoogleApp(
  t: TestContext,
): Promise<{ readonly app: TestApp; readonly api: GoogleApi }> {
  const idp = await startIdp(t);
  const api = await startGoogleApi(t, idp);
  const env = providerSettings(t, { google: googleRow(idp, api) }, idp);
  return { api, app: await bootApp(t, { ...env, MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1' }) };
}
