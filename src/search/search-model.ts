/** The vocabulary of search: what is asked, and what is found. */
import type { ToolHints } from '../base/tool-hints.ts';
import type { AuthType, Transport } from '../catalog/catalog.ts';
import type { StoredServer, StoredTool } from './index/stored-fields.ts';
import type { OwnTools } from './own-tools/own-tools-model.ts';
import type { SearchHit } from './ranking/rank.ts';

export type SearchFilters = {
  readonly transport?: readonly Transport[] | undefined;
  readonly auth?: readonly ('none' | AuthType)[] | undefined;
  readonly category?: readonly string[] | undefined;
  readonly verified?: boolean | undefined;
  /** Whether the asking user can call the server now; needs `connectionOf`. */
  readonly connected?: boolean | undefined;
  /** Whether a server can be called from here at all, by somebody: not a program that no configuration starts. */
  readonly callable?: boolean | undefined;
};

/**
 * How the caller stands with a server: it can be called as it is (`ready`, with a credential; `open`, without), or something is
 * missing: a user's consent, consent to more, a key that the operator sets; or it cannot be called from here.
 */
export type ConnectionState = 'ready' | 'open' | 'needs_auth' | 'needs_scope' | 'needs_key' | 'unavailable';
/** How the caller stands with a server, as far as anything is known besides what the catalog says. */
export type ConnectionLookup = (serverId: string) => ConnectionState | undefined;

/** What of the catalog the caller sees; whoever has the same `key` sees the same. */
export type SearchView = {
  readonly key: string;
  toolsOf(server: {
    readonly id: string;
    readonly category: string | null;
    readonly tags: readonly string[];
    readonly trusted: boolean;
  }): 'all' | 'none' | ((tool: { readonly name: string; readonly hints: ToolHints } | null) => boolean);
};

export type SearchRequest = {
  readonly caller: { readonly keyId: string; readonly developerId: string };
  readonly query: string;
  readonly limit: number;
  readonly toolLimit: number;
  readonly filters: SearchFilters;
  readonly minScore: number;
  /** Whether hits shall tell where their scores come from. */
  readonly explain: boolean;
  /** false: misspelled words are searched as they are. */
  readonly spelling?: boolean | undefined;
  /** It is still being typed: answered, and not kept. */
  readonly isDraft?: boolean | undefined;
  readonly cursor?: string | undefined;
  /** With it, every hit says how the caller stands with its server. */
  readonly connectionOf?: ConnectionLookup | undefined;
  /** By which of the user's accounts that is, and calls would go. */
  readonly account?: string | undefined;
  /** null: everything. What is not seen takes no part in scores, totals and cursors. */
  readonly view?: SearchView | null | undefined;
  /** What servers list for the asking user alone. */
  readonly own?: OwnTools | undefined;
};

/** One page of hits, best first; the same for everybody who asks the same. */
export type SearchPage = {
  readonly hits: readonly SearchHit[];
  /** Their servers' ids. */
  readonly serverIds: readonly string[];
  /** Where the first hit stands: more than 1 on a later page. */
  readonly firstRank: number;
  /** Servers that the caller sees and that pass the filters. */
  readonly total: number;
  /** What was searched in place of a query with misspelled words; null for any other. */
  readonly correctedQuery: string | null;
  readonly nextCursor: string | null;
};

export type SearchResult = {
  readonly page: SearchPage;
  /** Names the page among all of this search: results of one key have the same hits. null for what one user's connections filtered. */
  readonly pageKey: string | null;
  /** How the user is connected to the server of each hit; null without `connectionOf`. */
  readonly connections: readonly ConnectionState[] | null;
  /** By which of the user's accounts; without, the default. */
  readonly account?: string | undefined;
  readonly queryLogId: string;
  readonly latencyMs: number;
  readonly cacheHit: boolean;
};

/** What is known of servers beyond their words, and changes without a rebuild. */
export type RankingSignals = {
  /** 0..1, of the servers it is known of. */
  readonly popularity: ReadonlyMap<string, number>;
  /** Factors on the final score, 0..1; a server that is not named is well. */
  readonly liveness: ReadonlyMap<string, number>;
  /** Servers that do not answer. */
  readonly unavailable?: ReadonlySet<string> | undefined;
};

export type QueryLogEntry = {
  readonly queryLogId: string;
  readonly at: number;
  readonly keyId: string;
  readonly developerId: string;
  readonly query: string;
  /** The revision of the snapshot that answered. */
  readonly snapshot: number;
  readonly cacheHit: boolean;
  readonly latencyMs: number;
  /** The servers that the reply showed, best first; one array for all hits of one cached page. */
  readonly shown: readonly string[];
  /** Where the first of them stands: more than 1 on a later page. */
  readonly firstRank: number;
  readonly total: number;
};

/** What was searched in a span of time. */
export type QueryLogSummary = {
  readonly searches: { readonly count: number; readonly cached: number };
  /** Queries that showed no server, most often asked first. */
  readonly foundNothing: readonly {
    readonly query: string;
    readonly times: number;
    readonly lastAt: number;
  }[];
  readonly recent: readonly {
    readonly query: string;
    readonly shown: number;
    readonly latencyMs: number;
    readonly at: number;
  }[];
};

/** What is shown of a hit, as values. */
export type ShownHit = StoredServer & { readonly tools: readonly StoredTool[] };

export function readHit({ documents, server, tools }: SearchHit): ShownHit {
  return { ...documents.server(server), tools: tools.map(documents.tool) };
}

/** What to do before a server can be called, in words for whoever integrates it; null where nothing is missing, or nothing helps. */
export function howToConnect(
  { serverId, documents, server }: SearchHit,
  state: ConnectionState,
  account?: string,
): string | null {
  const id = JSON.stringify(serverId);
  const named = account === undefined ? '' : `, "account": ${JSON.stringify(account)}`;
  const open = `POST /v1/identity/sessions with {"user_id": "…", "server_id": ${id}${named}}`;
  if (state === 'needs_auth' || state === 'needs_scope') return `${open}: the user agrees at its auth_url`;
  if (state === 'needs_key')
    return `${open}: the user gives a key at its auth_url; or the operator sets one for all: {"id": ${id}, …, "headers": {…}} in POST /v1/admin/servers`;
  if (state === 'unavailable' && documents.server(server).remoteUrl === null)
    return 'It is a program: the operator names it in --mcp-config';
  return null;
}
