import type { OpenedSession } from './connections-model.ts';

/** A session as a problem names it that it would mend: part of the problem's public facts. */
export function sessionFacts({ sessionId, authUrl, expiresAt }: OpenedSession) {
  return { id: sessionId, auth_url: authUrl, expires_at: new Date(expiresAt).toISOString() };
}
