/**
 * Fields and parameters that ask for another method than the request's own (threats B6).
 *
 * One of them is in use: Google's clients send a GET whose URL would be too long as a POST with the query in its body. What
 * is judged is what is sent, so it is made that GET here; whatever else asks for another method is refused.
 */
import { Problem } from '../../base/problem.ts';
import type { ProviderApi } from '../../connections/connections.ts';
import type { ProxyRequest } from '../proxy-model.ts';
import { findField } from './headers.ts';
import { checkQuery, parseTarget } from './target.ts';

const overrideFields = ['x-http-method-override', 'x-method-override', 'x-http-method'];
/** Rails, Laravel, Symfony: in the query or in a form. */
const overrideParameter = '_method';
/** Longer than any URL that a server takes. */
const maxQueryBytes = 65_536;
const formType = /^application\/x-www-form-urlencoded\s*(;|$)/i;

/** The request as it is meant: itself, or the GET that came as a POST. Throws invalid_request. */
export async function withoutOverride(request: ProxyRequest, api: ProviderApi): Promise<ProxyRequest> {
  const asked = overridesIn(request.rawHeaders);
  const { path, query } = parseTarget(request.target);
  if (asked.length === 0) {
    if (request.method !== 'GET' && request.method !== 'HEAD') checkQuery(query, [overrideParameter]);
    return request;
  }
  const isUpload = api.uploadFolders.some((folder) => path.startsWith(folder));
  if (asked.length > 1 || asked[0] !== 'GET' || request.method !== 'POST' || isUpload) throw refused();
  const { body, rawHeaders } = request;
  if (findField(rawHeaders, 'content-encoding') !== undefined) throw refused();
  if (body !== null && !isForm(rawHeaders)) throw refused();
  const form = (await body?.read(maxQueryBytes))?.toString('latin1').trim() ?? '';
  const parts = [query.slice(1), form].filter((part) => part !== '');
  const target =
    request.target.slice(0, request.target.length - query.length) +
    (parts.length === 0 ? '' : `?${parts.join('&')}`);
  return { ...request, method: 'GET', target, body: null, rawHeaders: withoutContent(rawHeaders) };
}

/** A form that was read names no method of its own. */
export function checkForm({ rawHeaders }: ProxyRequest, body: Buffer): void {
  if (isForm(rawHeaders)) checkQuery(`?${body.toString('latin1')}`, [overrideParameter]);
}

function overridesIn(rawHeaders: readonly string[]): string[] {
  const found: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const value = (rawHeaders[i + 1] ?? '').trim();
    if (value !== '' && overrideFields.includes((rawHeaders[i] ?? '').toLowerCase()))
      found.push(value.toUpperCase());
  }
  return found;
}

function isForm(rawHeaders: readonly string[]): boolean {
  return formType.test(findField(rawHeaders, 'content-type') ?? '');
}

/** A GET has no body to tell of. */
function withoutContent(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, i) => !/^content-/i.test(rawHeaders[i - (i % 2)] ?? ''));
}

function refused(): Problem {
  return new Problem(
    'invalid_request',
    'method override: refused, but for a GET as a POST whose query is in its body as a form',
  );
}
