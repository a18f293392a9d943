import { Problem, problemTable } from '../base/problem.ts';
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
export async function asPage(act: () => Promise<Reply>): Promise<Reply> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Problem) || error.kind === 'internal') throw error;
    return faultPage(problemTable[error.kind].status, error.detail);
  }
}

export function redirectTo(location: string, ...cookies: readonly string[]): Reply {
  return {
    status: 303,
    body: '',
    contentType: 'text/plain; charset=utf-8',
    headers: { ...pageHeaders, location, ...(cookies.length > 0 && { 'set-cookie': [...cookies] }) },
  };
}
