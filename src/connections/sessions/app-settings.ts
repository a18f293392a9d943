import { Problem } from '../../base/problem.ts';
import type { AppSettingsStore } from './app-settings-store.ts';

/** What an operator registers for a developer's app. */
export type AppSettings = {
  /** Where a browser may be sent back to, each compared as a whole (threats F7). */
  readonly returnUrls: readonly string[];
  /** The default of sessions that do not say (threats F8). */
  readonly requireConfirmation: boolean;
};

const loopback = new Set(['localhost', '127.0.0.1', '[::1]']);

export async function readAppSettings(store: AppSettingsStore, developerId: string): Promise<AppSettings> {
  const row = await store.find(developerId);
  return {
    returnUrls: row === undefined ? [] : (JSON.parse(row.return_urls) as string[]),
    requireConfirmation: row?.require_confirmation === 1,
  };
}

/** Throws invalid_request. */
export async function changeAppSettings(
  store: AppSettingsStore,
  { developerId, actor }: { readonly developerId: string; readonly actor: string },
  { returnUrls, requireConfirmation }: AppSettings,
): Promise<void> {
  const wrong = returnUrls.findIndex((url) => !isReturnUrl(url));
  if (wrong !== -1)
    throw new Problem(
      'invalid_request',
      `return_urls[${wrong}]: expected https, or http on this machine; no user name, query, fragment or wildcard`,
    );
  const row = {
    developer_id: developerId,
    return_urls: JSON.stringify([...new Set(returnUrls)]),
    require_confirmation: requireConfirmation ? 1 : 0,
  };
  await store.put(row, actor);
}

/** RFC 9700 section 2.1: exact matching; so a URL must be in the form that a browser would make of it. */
function isReturnUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.href !== text || text.includes('*')) return false;
  const isSafe = url.protocol === 'https:' || (url.protocol === 'http:' && loopback.has(url.hostname));
  return isSafe && url.username === '' && url.password === '' && !/[?#]/.test(text);
}
