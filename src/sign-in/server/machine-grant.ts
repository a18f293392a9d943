import type Provider from 'oidc-provider';
import { errors } from 'oidc-provider';
import { Problem } from '../../base/problem.ts';
import { canonicalPath, defaultPath, scope } from '../resources.ts';
import { issueToken } from './assertion-grant.ts';

/** As long as everybody's; who needs another one asks again. */
const lifeSeconds = 3_600;

type MachineContext = {
  body: unknown;
  readonly oidc: {
    readonly client: { readonly clientId: string };
    readonly params: { readonly resource?: string | readonly string[] };
  };
};

/**
 * `client_credentials` (RFC 6749 section 4.4, MCP's `io.modelcontextprotocol/oauth-client-credentials`) for the clients that the
 * operator bound to an API key; for all others it is `unauthorized_client`. The token is of one door, as anybody's.
 */
export function acceptMachines(
  provider: Provider,
  issuer: string,
  accountOf: (clientId: string) => Promise<string>,
): void {
  const handle = async (ctx: MachineContext) => {
    const { client, params } = ctx.oidc;
    const accountId = await accountOf(client.clientId).catch(asUnauthorized);
    const audience = audienceOf(issuer, [params.resource ?? []].flat());
    const asked = { accountId, client, audience, lifeSeconds, grantType: 'client_credentials' };
    const token = await issueToken(provider, asked);
    ctx.body = { access_token: token, token_type: 'Bearer', expires_in: lifeSeconds, scope };
  };
  provider.registerGrantType('client_credentials', handle as never, ['resource', 'scope'], ['resource']);
}

function audienceOf(issuer: string, asked: readonly string[]): string {
  const [resource = `${issuer}${defaultPath}`, ...more] = asked;
  const path = resource.startsWith(`${issuer}/`) ? canonicalPath(resource.slice(issuer.length)) : null;
  if (path === null || more.length > 0)
    throw new errors.InvalidTarget('resource: expected one of this service');
  return `${issuer}${path}`;
}

function asUnauthorized(error: unknown): never {
  if (!(error instanceof Problem) || error.kind !== 'invalid_api_key') throw error;
  throw new errors.UnauthorizedClient('the key behind this client is over, or there is none');
}
