import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { calculateJwkThumbprint, decodeProtectedHeader, importJWK, type JWK, jwtVerify } from 'jose';
import Provider from 'oidc-provider';
import { handClock } from '../support/app.ts';
import { bootMcp, textOf } from '../support/mcp-app.ts';
import { agree, invitationOf, mitOf, startLoopback } from '../support/mcp-oauth.ts';

type Options = { readonly dpop: boolean };

/** A real authorization server with registration, resource indicators and DPoP, and an MCP server that believes only it. */
async function startReal(t: TestContext, { dpop }: Options) {
  let handle: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
  const http = createServer((request, response) => handle(request, response));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    http.closeAllConnections();
    http.close();
  });
  const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const { warn, info } = console;
  console.warn = console.info = () => undefined;
  const provider = new Provider(issuer, {
    clients: [],
    scopes: ['openid', 'offline_access'],
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true },
      dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => dpop },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => [],
        useGrantedResource: () => false,
        getResourceServerInfo: (_ctx, resource) => ({
          scope: 'mcp:read',
          audience: resource,
          accessTokenTTL: 3_600,
          accessTokenFormat: 'opaque',
        }),
      },
    },
    findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    cookies: { keys: ['a cookie key for tests'] },
    pkce: { required: () => true },
    issueRefreshToken: () => true,
    ttl: { AccessToken: 3_600, Grant: 86_400, Interaction: 600, RefreshToken: 86_400, Session: 86_400 },
  });
  console.warn = warn;
  console.info = info;
  const callback = provider.callback();
  handle = async (request, response) => {
    if (!(request.url ?? '').startsWith('/interaction/')) return callback(request, response);
    const { prompt, params, session } = await provider.interactionDetails(request, response);
    if (prompt.name === 'login')
      return provider.interactionFinished(request, response, { login: { accountId: 'ann' } });
    const grant = new provider.Grant({
      accountId: session?.accountId ?? '',
      clientId: String(params.client_id),
    });
    grant.addOIDCScope('offline_access');
    grant.addResourceScope(String(params.resource), 'mcp:read');
    await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
  };

  const proofs: string[] = [];
  const checked = new Map<string, string>();
  const server = await startLoopback(t, ({ path, headers, body, method }, response) => {
    if (path === '/.well-known/oauth-protected-resource/mcp')
      return {
        body: {
          resource: `${server.url}/mcp`,
          authorization_servers: [issuer],
          scopes_supported: ['mcp:read'],
          ...(dpop ? { dpop_bound_access_tokens_required: true } : {}),
        },
      };
    if (path !== '/mcp') return null;
    void admit(headers, method).then((admitted) => {
      const metadata = `resource_metadata="${server.url}/.well-known/oauth-protected-resource/mcp"`;
      response.setHeader('content-type', 'application/json');
      if (admitted !== null) {
        const { id, method: asked } = JSON.parse(body) as { id: number; method: string };
        const result = {
          resultType: 'complete',
          supportedVersions: ['2026-07-28'],
          ...(asked === 'tools/call' ? { content: [{ type: 'text', text: admitted }], isError: false } : {}),
        };
        response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
        return;
      }
      response.writeHead(401, { 'www-authenticate': `${dpop ? 'DPoP' : 'Bearer'} ${metadata}` });
      response.end('{}');
    });
    return 'handled';
  });

  /** The account behind a token, if it is for us and its holder proves possession; else null. */
  const admit = async (headers: IncomingMessage['headers'], method: string): Promise<string | null> => {
    const [scheme, token = ''] = String(headers.authorization ?? '').split(' ');
    const found = await provider.AccessToken.find(token);
    if (found === undefined || found.aud !== `${server.url}/mcp` || !found.scope?.includes('mcp:read'))
      return null;
    checked.set(token, found.accountId);
    if (!dpop) return scheme === 'Bearer' ? found.accountId : null;
    const proof = String(headers.dpop ?? '');
    if (scheme !== 'DPoP' || proofs.includes(proof)) return null;
    proofs.push(proof);
    const { jwk } = decodeProtectedHeader(proof);
    const { payload } = await jwtVerify(proof, await importJWK(jwk as JWK, 'ES256'), { typ: 'dpop+jwt' });
    const ath = createHash('sha256').update(token).digest('base64url');
    const right = [method, `${server.url}/mcp`, ath, await calculateJwkThumbprint(jwk as JWK)];
    const said = [payload.htm, payload.htu, payload.ath, found.jkt];
    return isDeepStrictEqual(said, right) ? found.accountId : null;
  };
  return { issuer, server, proofs, checked };
}

for (const dpop of [false, true]) {
  test(`a real authorization server: registers, consents, calls, renews${dpop ? ', with tokens bound to a key' : ''}`, async (t) => {
    const clock = handClock(Date.now());
    const real = await startReal(t, { dpop });
    const app = await bootMcp(t, dpop ? {} : { clock });
    await app.add('s', `${real.server.url}/mcp`);
    const ann = await mitOf(app, 'ann');
    const page = await agree(invitationOf(await app.tool('s', 'whoami', {}, { headers: ann })).auth_url);
    assert.match(page.text, /is connected/, page.text);
    for (let i = 0; i < 3; i++)
      assert.equal(textOf(await app.tool('s', 'whoami', {}, { headers: ann })), 'ann');
    assert.equal(real.checked.size, 1);
    assert.ok(!dpop || real.proofs.length >= 3);
    const developerId = String(
      ((await app.call('GET', '/v1/admin/connections')).body.connections as { developer_id: string }[])[0]
        ?.developer_id,
    );
    const owner = { developerId, userId: 'ann' };
    const found = await app.services.connections.tokens.forServer({
      owner,
      serverId: 's',
      url: `${real.server.url}/mcp`,
      refused: 1,
      actor: 'system',
    });
    assert.equal(found.kind, 'token');
    assert.equal(textOf(await app.tool('s', 'whoami', {}, { headers: ann })), 'ann');
    assert.equal(real.checked.size, 2);
  });
}
