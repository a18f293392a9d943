import type { Clock } from '../../base/clock.ts';
import { isObject } from '../../base/json.ts';
import { itemsOf, type JsonShape, type JsonView } from '../../base/json-scanner.ts';
import { Problem } from '../../base/problem.ts';
import { type Backoff, backoffMs, parseRetryAfter } from '../../base/retry.ts';
import type { Outbound, OutboundReply } from '../../outbound/outbound.ts';
import type { Storage } from '../../storage/storage.ts';
import type { ServerInput, SyncReport } from '../catalog-model.ts';
import { parseEntry } from './entry.ts';
import { parseRow, scanOutsideJson } from './row-value.ts';
import { createSyncStore, type SyncState } from './sync-store.ts';

const serversPerPage = 100;
const maxPageBytes = 8_000_000;
const pageTimeoutMs = 30_000;
/** The public registry had 280 pages in autumn 2026; a registry that hands out cursors for ever is cut off here. */
const maxPages = 10_000;
/** The next sync asks again for what changed in the last hour before this one: clocks differ, and rows appear late. */
const overlapMs = 3_600_000;
/** A quarter of jitter: replicas do not come back together. */
const backoff: Backoff = { firstMs: 30_000, maxMs: 6 * 3_600_000, jitter: 0.25 };
const longestWaitMs = 24 * 3_600_000;
const problemsKept = 20;
const pageShape: JsonShape = { servers: true, metadata: true };
const paths = ['/v0.1/servers', '/v0/servers'] as const;

type Page = { readonly entries: readonly unknown[]; readonly nextCursor: string | null };
export type SyncDeps = {
  readonly storage: Storage;
  readonly outbound: Pick<Outbound, 'request'>;
  readonly clock: Clock;
  readonly config: { readonly registryUrl: string };
  readonly onPage: () => Promise<void>;
};

/** `onPages` is told how many pages there were so far. */
export type SyncOnce = (signal: AbortSignal, onPages?: (pages: number) => void) => Promise<SyncReport>;

/** A reply that is no usable page; `restart` when the cursor itself is what the registry refuses. */
class BrokenPage extends Error {
  readonly retryAfterMs: number | undefined;
  readonly restart: boolean;

  constructor(
    message: string,
    options: { retryAfterMs?: number | undefined; restart?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.retryAfterMs = options.retryAfterMs;
    this.restart = options.restart === true;
  }
}

/** Reads a registry page by page (generic registry API, `GET /v0.1/servers`), each page one transaction with the place after it. */
export function createSync(deps: SyncDeps): SyncOnce {
  const { clock } = deps;
  const registryUrl = deps.config.registryUrl.replace(/\/+$/, '');
  const store = createSyncStore(deps.storage, registryUrl);
  const fetchPage = createFetcher(deps.outbound, registryUrl, clock);

  return async (signal, onPages = () => undefined) => {
    let state = await store.state();
    const resumed = state.cursor !== null;
    if (!resumed) state = { ...state, started_at: clock.now() };
    const report = createReport();
    const seen = new Set<string>();
    try {
      do {
        signal.throwIfAborted();
        const page = await fetchPage(state, signal);
        checkProgress(page, seen, report.pages);
        const { inputs, remove } = report.read(page.entries);
        state =
          page.nextCursor === null ? finished(state, clock.now()) : { ...state, cursor: page.nextCursor };
        const change = { inputs, remove, source: 'registry', by: 'registry', now: clock.now() } as const;
        report.add(await store.page(change, state));
        await deps.onPage();
        onPages(report.pages);
      } while (state.cursor !== null);
    } catch (error) {
      if (signal.aborted || !isUpstreamFault(error)) throw error;
      throw await failed(error, state);
    }
    return report.done(resumed);
  };

  async function failed(error: BrokenPage | Problem, state: SyncState): Promise<Problem> {
    const failures = state.failures + 1;
    const restart = error instanceof BrokenPage && error.restart;
    const retryAfterMs = Math.min(
      longestWaitMs,
      Math.max(error.retryAfterMs ?? 0, backoffMs(backoff, failures)),
    );
    await store.save({
      ...state,
      cursor: restart ? null : state.cursor,
      failures,
      last_error: error.message,
    });
    const place = state.cursor === null || restart ? '' : '; the next sync goes on from there';
    return new Problem('upstream_error', `The registry could not be read: ${error.message}${place}`, {
      cause: error,
      retryAfterMs,
    });
  }
}

function finished(state: SyncState, now: number): SyncState {
  const since = new Date((state.started_at ?? now) - overlapMs).toISOString();
  return { ...state, cursor: null, updated_since: since, finished_at: now, failures: 0, last_error: null };
}

function isUpstreamFault(error: unknown): error is BrokenPage | Problem {
  return (
    error instanceof BrokenPage ||
    (error instanceof Problem && ['upstream_error', 'invalid_request'].includes(error.kind))
  );
}

function checkProgress(page: Page, seen: Set<string>, pages: number): void {
  if (page.nextCursor === null) return;
  if (seen.has(page.nextCursor)) throw new BrokenPage('it repeats a cursor (a loop)', { restart: true });
  if (pages >= maxPages) throw new BrokenPage(`it has more than ${maxPages} pages`, { restart: true });
  seen.add(page.nextCursor);
}

function createFetcher(outbound: Pick<Outbound, 'request'>, registryUrl: string, clock: Clock) {
  let path: (typeof paths)[number] | undefined;
  const get = (at: string, state: SyncState, signal: AbortSignal) => {
    const query = new URLSearchParams({ limit: String(serversPerPage), version: 'latest' });
    if (state.cursor !== null) query.set('cursor', state.cursor);
    if (state.updated_since !== null) query.set('updated_since', state.updated_since);
    return outbound.request({
      method: 'GET',
      url: `${registryUrl}${at}?${query}`,
      headers: { accept: 'application/json' },
      timeoutMs: pageTimeoutMs,
      maxBytes: maxPageBytes,
      signal,
    });
  };
  return async (state: SyncState, signal: AbortSignal): Promise<Page> => {
    let tried = path ?? paths[0];
    let reply = await get(tried, state, signal);
    if (reply.status === 404 && path === undefined) {
      tried = paths[1];
      reply = await get(tried, state, signal);
    }
    const page = readPage(reply, state.cursor, clock);
    path = tried;
    return page;
  };
}

function readPage(reply: OutboundReply, cursor: string | null, clock: Clock): Page {
  if (reply.status !== 200) {
    throw new BrokenPage(`it answered ${reply.status}`, {
      retryAfterMs: parseRetryAfter(reply.headers['retry-after'], clock.now()),
      // A cursor may expire with the registry's own restart: from the beginning then.
      restart: cursor !== null && [400, 404, 410, 422].includes(reply.status),
    });
  }
  let page: JsonView;
  try {
    page = scanOutsideJson(reply.body, pageShape);
  } catch (cause) {
    throw new BrokenPage('its reply is not JSON', { cause });
  }
  const servers = page.get('servers');
  if (servers?.kind !== 'array') throw new BrokenPage('its reply has no servers array');
  const metadata = page.get('metadata')?.value();
  const next = isObject(metadata) ? (metadata.nextCursor ?? metadata.next_cursor) : undefined;
  return {
    entries: itemsOf(servers).map((each) => parseRow(each.text())),
    nextCursor: typeof next === 'string' && next !== '' ? next : null,
  };
}

function createReport() {
  const counts = { added: 0, updated: 0, unchanged: 0, removed: 0, tools: 0 };
  const problems: { id: string; reason: string }[] = [];
  let skipped = 0;
  let pages = 0;
  return {
    get pages() {
      return pages;
    },
    read(entries: readonly unknown[]) {
      pages += 1;
      const inputs: ServerInput[] = [];
      const remove: string[] = [];
      for (const entry of entries) {
        const parsed = parseEntry(entry, 'lenient');
        if (parsed.kind === 'server') inputs.push(parsed.input);
        if (parsed.kind === 'gone') remove.push(parsed.id);
        if (parsed.kind !== 'bad') continue;
        skipped += 1;
        if (problems.length < problemsKept) problems.push({ id: parsed.id ?? '', reason: parsed.reason });
      }
      return { inputs, remove };
    },
    add(written: typeof counts) {
      for (const key of Object.keys(counts) as (keyof typeof counts)[]) counts[key] += written[key];
    },
    done: (resumed: boolean): SyncReport => ({ ...counts, pages, skipped, problems, resumed }),
  };
}
