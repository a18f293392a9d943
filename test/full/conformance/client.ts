/**
 * Our side of the conformance suite: boots the app with the scenario's server in its catalogue and does over the HTTP
 * API what the scenario wants of a client. Whatever asks for a user is answered by a browser that agrees to everything.
 */
import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApp } from '../../../src/app.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { parseConfig } from '../../../src/config.ts';
import { defaultLimits } from '../../../src/http/http.ts';
import { accountIdOf, SignInStore } from '../../../src/sign-in/sign-in-store.ts';
import { createBrowser } from '../../support/browser.ts';

type Json = Readonly<Record<string, unknown>>;
type Reply = { readonly status: number; readonly body: Json };
type ToolCall = { readonly name: string; readonly arguments: Json };
type Tool = { readonly name: string; readonly inputSchema: Json };
type InputRequest = {
  readonly method: string;
  readonly params?: { requestedSchema?: { properties?: Json } };
};

const serverUrl = String(process.argv.at(-1));
const scenario = process.env.MCP_CONFORMANCE_SCENARIO ?? '';
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}') as Json;

const key = `sk_mcp_rank_${'c0'.repeat(16)}`;
/** The suite expects this very client id where documents are taken for one; nobody fetches it. */
const documentHost = 'https://conformance-test.local';
/** A client that is asked for consent again and again stops at some point; the suite's own bound is lower. */
const maxConsents = 6;

const isOfCompany = scenario === 'auth/enterprise-managed-authorization';
const isOfPlatform = scenario === 'auth/wif-jwt-bearer';

const folder = mkdtempSync(join(tmpdir(), 'mcprank-conformance-'));
const app = await startApp(
  parseConfig({
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_PROBE: 'off',
    MCPRANK_STARTER: 'off',
    MCPRANK_LOG_LEVEL: 'error',
    MCPRANK_ADMIN_KEY: key,
    MCPRANK_DATA_DIR: folder,
    MCPRANK_ALLOW_UPSTREAMS: 'localhost,127.0.0.1',
    ...(scenario === 'auth/basic-cimd' ? { MCPRANK_PUBLIC_URL: documentHost } : {}),
    ...(isOfPlatform && { MCPRANK_WORKLOAD_TOKENS: folder }),
    ...(isOfCompany && {
      MCPRANK_SSO_ISSUER: String(context.idp_issuer),
      MCPRANK_SSO_CLIENT_ID: String(context.idp_client_id),
      MCPRANK_SSO_DEVELOPER: 'admin',
      MCPRANK_SSO_ASSERTIONS: 'on',
    }),
  }),
  // Other scenarios run beside this one: lateness is the machine's.
  { limits: { ...defaultLimits, lateMs: Number.POSITIVE_INFINITY } },
);
let mit = '';

async function post(path: string, body: Json): Promise<Reply> {
  const reply = await fetch(`${app.url}${path}`, {
    method: 'POST',
    headers: {
      'x-api-key': key,
      'content-type': 'application/json',
      ...(mit === '' ? {} : { authorization: `Bearer ${mit}` }),
    },
    body: JSON.stringify(body),
  });
  return { status: reply.status, body: (await reply.json()) as Json };
}

/** The user follows the link that came with the refusal. */
async function consent(authUrl: string): Promise<void> {
  const browser = createBrowser((url) => url.replace(documentHost, app.url));
  const page = await browser.submit(await browser.open(authUrl));
  if (page.status !== 200) throw new Error(`consent ended with ${page.status}: ${page.text}`);
  if (!/is connected/.test(page.text)) throw new Error(`not connected: ${page.text.slice(-400)}`);
}

/** One call, with as many consents as it asks for. */
async function asUser(path: string, body: Json): Promise<Reply> {
  for (let consents = 0; ; consents++) {
    const reply = await post(path, { server_id: 'scenario', ...body });
    const { session } = (reply.body.detail ?? {}) as { session?: { auth_url: string } };
    if (reply.status !== 403 || session === undefined || consents === maxConsents) {
      if (reply.status >= 400) throw new Error(`${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
      return reply;
    }
    await consent(session.auth_url);
  }
}

/** Calls a tool; questions are answered with the defaults of what is asked, or with yes. */
async function callTool(call: ToolCall): Promise<void> {
  let reply = await asUser('/v1/mcp/tools/call', call);
  for (let rounds = 0; reply.body.status === 'input_required' && rounds < 5; rounds++) {
    const requests = reply.body.input_requests as Record<string, InputRequest>;
    const input_responses = Object.fromEntries(
      Object.entries(requests).map(([name, request]) => [name, answerTo(request)]),
    );
    reply = await asUser('/v1/mcp/tools/call', {
      ...call,
      continuation: reply.body.continuation,
      input_responses,
    });
  }
}

function answerTo({ params }: InputRequest): Json {
  const properties = (params?.requestedSchema?.properties ?? {}) as Record<string, Json>;
  const fields = Object.entries(properties).map(([name, { default: value, type }]) => [
    name,
    value ?? (type === 'boolean' ? true : 'yes'),
  ]);
  return { action: 'accept', content: Object.fromEntries(fields) };
}

function argumentsFor({ name }: Tool, tools: readonly Tool[]): Json {
  if (name === 'add_numbers') return { a: 5, b: 3 };
  const focal = tools.find((tool) => tool.name.startsWith('json_schema_2020_12'));
  return focal === undefined || focal.name === name ? {} : { schema: focal.inputSchema };
}

/**
 * A person who signed in at the company's provider. The suite's has no page to do so, but the ID token that came of it: that rests
 * as it would (test/full/company-upstream.test.ts walks the whole way).
 */
async function signedInAtCompany(): Promise<string> {
  const { storage, vault, access } = app.services;
  const [issuer, token] = [String(context.idp_issuer), String(context.idp_id_token)];
  const { sub, exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Json;
  const subject = String(sub);
  const id = accountIdOf('company', issuer, subject);
  const kept = { refresh: null, access: 'none', identity: { token, endsAt: Number(exp) * 1_000 } };
  await new SignInStore(storage, systemClock).putAccount({
    id,
    developer_id: await access.developerId('admin'),
    user_id: subject,
    key_id: null,
    issuer,
    subject,
    sid: null,
    name: subject,
    groups: '[]',
    sealed: await vault.seal(JSON.stringify(kept), ['sign-in', 'account', id]),
  });
  return subject;
}

/** Who issues for the server stands in its own metadata. */
async function serverIssuer(): Promise<string | undefined> {
  const { origin, pathname } = new URL(serverUrl);
  const reply = await fetch(`${origin}/.well-known/oauth-protected-resource${pathname}`);
  const { authorization_servers } = (await reply.json()) as { authorization_servers: string[] };
  return authorization_servers[0];
}

/** As an operator would say it. */
async function machineLogin(): Promise<Json> {
  const { client_id, client_secret, private_key_pem, signing_algorithm: alg } = context;
  const login = { issuer: await serverIssuer(), client_id };
  if (isOfPlatform) return { ...login, workload_token: 'token' };
  if (private_key_pem === undefined) return { ...login, client_secret };
  const jwk = createPrivateKey(String(private_key_pem)).export({ format: 'jwk' });
  return { ...login, client_key: { ...jwk, alg } };
}

async function run(): Promise<void> {
  const isMachine = scenario.startsWith('auth/client-credentials') || isOfPlatform;
  if (isOfPlatform) writeFileSync(join(folder, 'token'), `${String(context.valid_jwt)}\n`);
  const user = isOfCompany ? await signedInAtCompany() : 'ann';
  const { body } = await post('/v1/identity/token', { user_id: user });
  await post('/v1/admin/servers', {
    id: 'scenario',
    name: 'Scenario',
    remote_url: serverUrl,
    ...(isMachine && { client_credentials: await machineLogin() }),
  });
  if (scenario === 'auth/pre-registration' || isOfCompany) {
    const { client_id, client_secret, issuer = await serverIssuer() } = context;
    await post('/v1/admin/oauth-clients', { client_id, client_secret, issuer });
  }
  mit = String(body.access_token);
  const listed = await asUser('/v1/mcp/tools/list', {});
  const tools = listed.body.tools as Tool[];
  const calls =
    (context.toolCalls as ToolCall[] | undefined) ??
    tools.map((tool) => ({ name: tool.name, arguments: argumentsFor(tool, tools) }));
  for (const call of calls) await callTool(call);
  if (scenario !== 'http-standard-headers') return;
  for (const [list, read, field, param] of [
    ['resources/list', 'resources/read', 'resources', 'uri'],
    ['prompts/list', 'prompts/get', 'prompts', 'name'],
  ] as const) {
    const reply = await asUser('/v1/mcp/call', { method: list });
    const [first] = ((reply.body.result as Json | undefined)?.[field] ?? []) as Json[];
    if (first !== undefined)
      await asUser('/v1/mcp/call', { method: read, params: { [param]: first[param] } });
  }
}

try {
  await run();
} finally {
  await app.close();
  rmSync(folder, { recursive: true, force: true });
}
