import type Provider from 'oidc-provider';
import { errors } from 'oidc-provider';
import { Problem } from '../../base/problem.ts';
import { canonicalPath, scope } from '../resources.ts';

const assertionGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
/** Nobody can be asked whether the person is still there; the client brings a new assertion soon enough. */
const lifeSeconds = 300;

/** The account of whom is meant. `check` is asked about the resource that the company's provider named before anything is done. Throws `invalid_request`. */
export type RedeemAssertion = (
  assertion: string,
  clientId: string,
  check: (resource: string) => void,
) => Promise<string>;

/**
 * Enterprise-managed authorisation: the company's provider says by a signed assertion (ID-JAG,
 * draft-ietf-oauth-identity-assertion-authz-grant) that this client may act for that person here; no page asks anybody.
 */
export function acceptAssertions(provider: Provider, issuer: string, redeem: RedeemAssertion): void {
  const handle = async (ctx: AssertionContext) => {
    const { client, params } = ctx.oidc;
    if (typeof params.assertion !== 'string') throw new errors.InvalidRequest('assertion: required');
    const asked = [params.resource ?? []].flat();
    let audience = '';
    const accountId = await redeem(params.assertion, client.clientId, (resource) => {
      audience = audienceOf(resource, issuer, asked);
    }).catch(asInvalidGrant);
    const token = await issueToken(provider, {
      accountId,
      client,
      audience,
      lifeSeconds,
      grantType: 'jwt-bearer',
    });
    ctx.body = { access_token: token, token_type: 'Bearer', expires_in: lifeSeconds, scope };
  };
  provider.registerGrantType(
    assertionGrant,
    handle as never,
    ['assertion', 'resource', 'scope'],
    ['resource'],
  );
}

/** Throws `invalid_target` where it is none of ours, or not what was asked for beside it. */
function audienceOf(resource: string, issuer: string, asked: readonly string[]): string {
  const path = resource.startsWith(`${issuer}/`) ? canonicalPath(resource.slice(issuer.length)) : null;
  const audience = `${issuer}${path}`;
  if (path === null || asked.some((each) => each !== audience))
    throw new errors.InvalidTarget('resource: not the one of the assertion');
  return audience;
}

/** An access token for one resource, without asking a person. */
export async function issueToken(
  provider: Provider,
  to: {
    readonly accountId: string;
    readonly client: { readonly clientId: string };
    readonly audience: string;
    readonly lifeSeconds: number;
    readonly grantType: string;
  },
): Promise<string> {
  const { accountId, client, audience, lifeSeconds: expiresIn, grantType: gty } = to;
  const grant = new provider.Grant({ accountId, clientId: client.clientId });
  grant.addResourceScope(audience, scope);
  const grantId = await grant.save();
  const fields = { accountId, client, grantId, gty, expiresIn, aud: audience, scope };
  return new provider.AccessToken(fields as never).save();
}

type AssertionContext = {
  body: unknown;
  readonly oidc: {
    readonly client: { readonly clientId: string };
    readonly params: { readonly assertion?: unknown; readonly resource?: string | readonly string[] };
  };
};

function asInvalidGrant(error: unknown): never {
  if (error instanceof Problem && ['invalid_request', 'denied'].includes(error.kind))
    throw new errors.InvalidGrant(error.detail);
  throw error;
}
