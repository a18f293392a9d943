import * as oauth from 'oauth4webapi';

/** What is kept of a person's sign-in at the company's provider, sealed. */
export type CompanyTokens = {
  /** It can be asked about them again with this; without one, until the access token ends. */
  readonly refresh: string | null;
  readonly access: string;
  /** While it is good, where the provider is asked for its word towards others. */
  readonly identity?: Identity | null;
};
/** An ID token; `endsAt`: milliseconds since 1970. */
type Identity = { readonly token: string; readonly endsAt: number };

/** What is said in place of a person, and which kind of token it is (RFC 8693 section 3). */
export type SubjectToken = { readonly token: string; readonly type: string };

/** What to keep of a reply, of a first one or after a `former` one; the ID token only where it is of use. */
export function tokensIn(
  reply: oauth.TokenEndpointResponse,
  {
    former,
    keepsIdentity,
    now,
  }: { readonly former: CompanyTokens | null; readonly keepsIdentity: boolean; readonly now: number },
): CompanyTokens {
  const refresh = reply.refresh_token ?? former?.refresh ?? null;
  const kept = { refresh, access: reply.access_token };
  if (!keepsIdentity) return kept;
  const claims = oauth.getValidatedIdTokenClaims(reply);
  if (claims === undefined || reply.id_token === undefined)
    return { ...kept, identity: goodIdentity(former, now) };
  return { ...kept, identity: { token: reply.id_token, endsAt: claims.exp * 1_000 } };
}

/** By what the provider may be asked for its word: the draft wants the ID token, some go by the others, too. */
export function subjectTokens(tokens: CompanyTokens, now: number): readonly SubjectToken[] {
  const { refresh, access } = tokens;
  const identity = goodIdentity(tokens, now);
  return [
    ...(identity === null ? [] : [{ token: identity.token, type: 'id_token' }]),
    refresh === null ? { token: access, type: 'access_token' } : { token: refresh, type: 'refresh_token' },
  ];
}

function goodIdentity(tokens: CompanyTokens | null, now: number): Identity | null {
  const identity = tokens?.identity ?? null;
  return identity !== null && now < identity.endsAt ? identity : null;
}
