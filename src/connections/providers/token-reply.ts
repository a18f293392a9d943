import { isObject, type JsonObject } from '../../base/json.ts';
import type { Provider } from './oauth-provider.ts';
import { readTokenError, type TokenError } from './token-errors.ts';

/** A reply of a token endpoint as RFC 6749 section 5 would have it. */
export type TokenReply =
  | { readonly kind: 'tokens'; readonly body: JsonObject }
  | { readonly kind: 'error'; readonly error: TokenError; readonly body: JsonObject }
  /** Complete, and no tokens in it that could be used; `why` is for people. */
  | { readonly kind: 'unusable'; readonly why: string };

type Raw = { readonly status: number; readonly type: string; readonly body: Buffer };

/** What is sent as a bearer token, in whatever words: Slack's two, eBay's, and what a JWT is called here and there. */
const bearerTypes = new Set(['bearer', 'user', 'bot', 'user access token', 'bearer_token', 'oauth', 'jwt']);

/** Longer lives are as good as none. */
const maxSeconds = 3_153_600_000;

/**
 * Reads what providers send: null, "" and a missing member are the same; scopes may be a list; a status may be 201, or 200
 * for a "no"; JSON may stand under text/plain, and a form in the place of JSON (GitHub's default).
 */
export function readTokenReply(raw: Raw, { toStandardReply }: Pick<Provider, 'toStandardReply'>): TokenReply {
  const read = parseBody(raw);
  const isSuccess = raw.status >= 200 && raw.status < 300;
  if (read === undefined) {
    if (isSuccess) return { kind: 'unusable', why: 'it is neither JSON nor a form' };
    return { kind: 'error', error: { status: raw.status, name: null, description: '' }, body: {} };
  }
  const given = withoutEmpty(read);
  const body = toStandardReply?.(given) ?? given;
  if (isSuccess && typeof body.access_token === 'string') return readTokens(body);
  const error = readTokenError(isSuccess ? 400 : raw.status, body);
  const saysNo = error.name !== null || body.error !== undefined || body.ok === false;
  if (isSuccess && !saysNo) return { kind: 'unusable', why: 'it has no access_token' };
  return { kind: 'error', error, body };
}

function readTokens(body: JsonObject): TokenReply {
  const { access_token, token_type = 'Bearer', expires_in, refresh_token, scope, id_token } = body;
  const type = typeof token_type === 'string' ? token_type.toLowerCase() : '';
  const isBearer = bearerTypes.has(type);
  if (!isBearer && type !== 'dpop')
    return { kind: 'unusable', why: `its tokens are of the type ${nameOf(token_type)}` };
  const seconds = toSeconds(expires_in);
  const scopes = toScope(scope);
  return {
    kind: 'tokens',
    body: {
      access_token,
      token_type: isBearer ? 'bearer' : type,
      ...(seconds === undefined ? {} : { expires_in: seconds }),
      ...(typeof refresh_token === 'string' ? { refresh_token } : {}),
      ...(scopes === undefined ? {} : { scope: scopes }),
      ...(typeof id_token === 'string' ? { id_token } : {}),
    },
  };
}

function nameOf(type: unknown): string {
  return typeof type === 'string' && /^[\w.:-]{1,60}$/.test(type) ? type : 'something else';
}

/** Numbers as texts, too; what is no length of time is not told. */
function toSeconds(value: unknown): number | undefined {
  const seconds = typeof value === 'string' ? Number(value.trim() || Number.NaN) : value;
  if (typeof seconds !== 'number' || !(seconds > 0)) return undefined;
  return Math.min(seconds, maxSeconds);
}

function toScope(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  const scopes = value.filter((each) => typeof each === 'string' && each !== '');
  return scopes.length === 0 ? undefined : scopes.join(' ');
}

/** The members that say something (RFC 6749 section 3.1: what has no value is as if it were not there). */
export function withoutEmpty(object: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(object).filter(
      ([, value]) => value !== null && value !== '' && !(Array.isArray(value) && value.length === 0),
    ),
  );
}

function parseBody({ type, body }: Raw): JsonObject | undefined {
  const text = body.toString('utf8').replace(/^\uFEFF/, '');
  const isForm = /^application\/x-www-form-urlencoded/i.test(type);
  return (
    parseObject(text) ??
    (isForm || looksLikeForm(text) ? Object.fromEntries(new URLSearchParams(text)) : undefined)
  );
}

/** A JSON object, whatever its content type; undefined: it is none. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function looksLikeForm(text: string): boolean {
  return /^[\w.-]+=[^\s<>{}"]*$/.test(text.trim());
}
