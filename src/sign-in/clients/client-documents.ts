import type { Access } from '../../access/access.ts';
import { createBoundedCache } from '../../base/bounded-cache.ts';
import type { Clock } from '../../base/clock.ts';
import type { Outbound } from '../../outbound/outbound.ts';
import { normalizeClient } from './client-metadata.ts';

const maxBytes = 65_536;
const timeoutMs = 5_000;
/** Whatever came of one is good for a minute, a failure, too; what is good is then kept as its headers say. */
const keepMs = 60_000;
const maxKept = 1_000;
/** Of addresses that nobody here named before, for one asker and for all: whoever asks may name any. */
const fetchesPerMinute = { from: 30, all: 600 };

type Kept = { readonly until: number; readonly document: Promise<DocumentReply> };
type DocumentReply = {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
};

/**
 * Client ID metadata documents and the keys they name, fetched through the address guard (threats P3): no redirects, 64 kB, five
 * seconds, JSON. Answers as `fetch` does, as the library wants it.
 */
export function createClientDocuments({
  outbound,
  clock,
  access,
  servedGrants,
}: {
  readonly outbound: Pick<Outbound, 'request'>;
  readonly clock: Clock;
  readonly access: Pick<Access, 'limitAddress'>;
  readonly servedGrants: readonly string[];
}) {
  const kept = createBoundedCache<Kept>(maxKept);
  let window = { since: clock.monotonic(), count: 0 };
  const countFetch = (asker: string) => {
    access.limitAddress('client documents', asker, fetchesPerMinute.from);
    if (clock.monotonic() - window.since > 60_000) window = { since: clock.monotonic(), count: 0 };
    if (++window.count > fetchesPerMinute.all) throw new Error('too many client documents are being fetched');
  };
  const load = async (url: string): Promise<DocumentReply> => {
    const headers = { accept: 'application/json' };
    const reply = await outbound.request({ method: 'GET', url, headers, timeoutMs, maxBytes });
    const cacheControl = [reply.headers['cache-control'] ?? ''].flat().join(', ');
    return {
      status: reply.status,
      headers: { 'content-type': 'application/json', 'cache-control': cacheControl },
      body: reply.status === 200 ? normalizeDocument(url, reply.body.toString(), servedGrants) : '',
    };
  };
  /** `asker`: the address of whoever named it. */
  return async (url: string | URL, asker: string): Promise<Response> => {
    const name = String(url);
    let known = kept.get(name);
    if (known === undefined || known.until < clock.monotonic()) {
      // What one asker may not, is not kept for others.
      countFetch(asker);
      known = { until: clock.monotonic() + keepMs, document: load(name) };
      known.document.catch(() => undefined);
      kept.set(name, known);
    }
    const { status, headers, body } = await known.document;
    return new Response(body, { status, headers });
  };
}

/** A key set goes on as it is; of a client, what is said of redirects has to hold, and who says no method has no secret. */
function normalizeDocument(url: string, text: string, servedGrants: readonly string[]): string {
  const document = JSON.parse(text) as Record<string, unknown>;
  if (document.client_id !== url) return text;
  return JSON.stringify({ token_endpoint_auth_method: 'none', ...normalizeClient(document, servedGrants) });
}
