/**
 * Why a token endpoint said no, in the words of those who say it in their own: provider by provider, and read for every
 * provider alike, since a row of an operator's may lead to any of them.
 */
import { isObject, type JsonObject } from '../../base/json.ts';

/**
 * invalid_grant  the grant is over: only the user can mend it
 * misconfigured  it does not accept us as its client: only the operator can
 * refused        it does not want this request: of this grant alone, until others are refused alike
 * transient      it is down, slow or busy: time may
 */
export type TokenRefusal = 'invalid_grant' | 'misconfigured' | 'refused' | 'transient';

/** An error reply: its status, and what stands in its body. */
export type TokenError = {
  readonly status: number;
  /** In lower case; null: it has no name. */
  readonly name: string | null;
  readonly description: string;
};

type Words = { readonly of: string; readonly names: readonly string[] };

/** Names that end a grant wherever they stand in a reply to a refresh. */
const deadGrants: readonly Words[] = [
  { of: 'RFC 6749 section 5.2', names: ['invalid_grant'] },
  { of: 'RFC 6750 section 3.1, Adobe', names: ['invalid_token'] },
  {
    of: 'OpenID Connect Core section 3.1.2.6, Microsoft',
    names: ['interaction_required', 'login_required', 'consent_required', 'account_selection_required'],
  },
  { of: 'RFC 8628 section 3.5, Box, Reddit', names: ['expired_token'] },
  { of: 'GitHub, HubSpot (as a status)', names: ['bad_refresh_token', 'bad_verification_code'] },
  {
    of: 'Slack',
    names: ['invalid_refresh_token', 'token_revoked', 'token_expired', 'account_inactive', 'invalid_auth'],
  },
  { of: 'Zoho', names: ['invalid_code'] },
  { of: 'Salesforce', names: ['inactive_user'] },
  { of: 'DocuSign', names: ['expired_client_token'] },
  { of: 'others', names: ['refresh_token_expired', 'refresh_token_invalid', 'refresh_token_revoked'] },
  {
    of: 'others',
    names: ['expired_refresh_token', 'refresh_token_reused', 'revoked_token', 'grant_expired'],
  },
];

/** Names that are about us, whosever grant it is. */
const badClients: readonly Words[] = [
  { of: 'RFC 6749 section 5.2', names: ['invalid_client'] },
  { of: 'Google', names: ['deleted_client', 'disabled_client'] },
  { of: 'GitHub', names: ['incorrect_client_credentials'] },
  { of: 'Slack', names: ['invalid_client_id', 'bad_client_secret'] },
  { of: 'HubSpot (as a status)', names: ['bad_client_id', 'invalid_client_secret'] },
];

const transientNames: readonly Words[] = [
  { of: 'RFC 6749 section 4.1.2.1', names: ['temporarily_unavailable', 'server_error'] },
  { of: 'RFC 8628 section 3.5', names: ['slow_down'] },
  { of: 'Slack', names: ['ratelimited', 'internal_error', 'fatal_error', 'service_unavailable'] },
  { of: 'others', names: ['rate_limited', 'rate_limit_exceeded', 'too_many_requests', 'request_timeout'] },
];

/**
 * Names that mean nothing by themselves are told apart by the words beside them: Atlassian's `unauthorized_client` with
 * "refresh_token is invalid", Twitch's nameless "Invalid refresh token", X's `invalid_request` with "Value passed for the
 * token was invalid.", Strava's {resource: "RefreshToken", code: "invalid"}.
 */
const deadWords =
  /(refresh[ _-]?token|\bgrant\b(?! type)|value passed for the token).*(invalid|expired|revoked|not found|unknown|not valid|no longer|not exist|inactive|already used)|(invalid|expired|revoked|unknown|inactive)[^.]{0,40}(refresh[ _-]?token)/i;

/** About the request: the words beside them name `refresh_token` for another reason. */
const requestNames = new Set(['unsupported_grant_type', 'invalid_scope']);

const setOf = (rows: readonly Words[]) => new Set(rows.flatMap(({ names }) => names));
const [dead, ours, passing] = [setOf(deadGrants), setOf(badClients), setOf(transientNames)];

export function judgeTokenError({ status, name, description }: TokenError): TokenRefusal {
  if (status >= 500 || status === 429 || status === 408) return 'transient';
  if (name !== null) {
    if (dead.has(name)) return 'invalid_grant';
    if (ours.has(name)) return 'misconfigured';
    if (passing.has(name)) return 'transient';
  }
  if (name !== null && requestNames.has(name)) return 'refused';
  if (deadWords.test(description)) return 'invalid_grant';
  // Atlassian: with 403 it is about the grant; with 400 or 401 it may be about us.
  if (name === 'unauthorized_client' && status === 403) return 'invalid_grant';
  return 'refused';
}

const nameFields = [
  'error',
  'error_code',
  'errorCode',
  'errorId',
  'errorType',
  'code',
  'type',
  'status',
  'name',
];
const wordFields = [
  'error_description',
  'message',
  'error_message',
  'error_msg',
  'description',
  'reason',
  'detail',
  'localizedMessage',
];

/** What a body says of an error: as RFC 6749 has it, or nested as Meta, Fitbit, Strava and Yahoo have it. */
export function readTokenError(status: number, body: JsonObject): TokenError {
  const nested = [body.error, ...(Array.isArray(body.errors) ? body.errors : [])].filter(isObject);
  const places = [body, ...nested];
  const name = firstOf(places, nameFields, (text) => /^[A-Za-z][\w.:/-]{0,99}$/.test(text));
  // A name that is a sentence is a description.
  const words = places.flatMap((place) => texts(place, [...wordFields, 'error', 'resource', 'code']));
  // Meta: 190 is a token that is over, whatever its type says (https://developers.facebook.com).
  const isMetaExpiry = nested.some(({ code }) => Number(code) === 190);
  return {
    status,
    name: isMetaExpiry ? 'invalid_token' : (name?.toLowerCase() ?? null),
    description: words.join(' ').slice(0, 1_000),
  };
}

function firstOf(
  places: readonly JsonObject[],
  fields: readonly string[],
  fits: (text: string) => boolean,
): string | undefined {
  for (const place of places) {
    const found = texts(place, fields).find(fits);
    if (found !== undefined) return found;
  }
  return undefined;
}

function texts(place: JsonObject, fields: readonly string[]): string[] {
  return fields
    .map((field) => place[field])
    .filter((each) => typeof each === 'string' && each !== '') as string[];
}
