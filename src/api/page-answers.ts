import { type Problem, problemTable } from '../base/problem.ts';
import type { OtherReply, Reply } from '../http/route.ts';
import { faultPage } from './consent-pages.ts';
import { pageHeaders } from './html.ts';

/** For the document of the API. */
export const page = { description: 'A page', contentType: 'text/html' };
export const onwards = { status: 303, description: 'On to where Location says' };

/** Pages that say what went wrong, for the document of the API. */
export function faultPages(...statuses: readonly number[]): readonly OtherReply[] {
  return statuses.map((status) => ({ ...page, status }));
}

/** What is told to an app as JSON is told to a person as a page; the rest is as it is everywhere. */
export function pageRefusal({ kind, detail, retryAfterMs }: Problem) {
  const { status, body, contentType = '', headers } = faultPage(problemTable[kind].status, detail);
  return {
    status,
    body: String(body),
    headers: {
      ...(headers as Readonly<Record<string, string>>),
      'content-type': contentType,
      ...(retryAfterMs !== undefined && { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) }),
    },
  };
}

export function redirectTo(location: string, ...cookies: readonly string[]): Reply {
  return {
    status: 303,
    body: '',
    contentType: 'text/plain; charset=utf-8',
    headers: { ...pageHeaders, location, ...(cookies.length > 0 && { 'set-cookie': [...cookies] }) },
  };
}
