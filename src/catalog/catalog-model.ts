import type { UserCredentials } from '../base/user-credentials.ts';

/** The catalog's vocabulary: what its door takes and gives. Outside the room these are imported from `catalog.ts`. */

export type Transport = 'streamable-http' | 'sse' | 'stdio';
export type AuthType = 'api_key' | 'bearer' | 'oauth2';

/** One tool as its server lists it. `inputSchema` is JSON text (an object), kept as text because it is only passed on. */
export type CatalogTool = {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: string;
  /** What else its server says of it (title, annotations, outputSchema, …): the text of a JSON object. */
  readonly details?: string;
};

/** One active server as search and the MCP proxy see it. */
export type CatalogServer = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** null for a server that is started locally (stdio). */
  readonly remoteUrl: string | null;
  readonly transport: Transport;
  readonly authType: AuthType | null;
  readonly category: string | null;
  readonly tags: readonly string[];
  readonly verified: boolean;
  /** The operator itself marked it so: what it says of its own tools is believed. */
  readonly trusted?: boolean;
  /** 0..1: decayed use by distinct developers over a prior from registry signals. */
  readonly popularity: number;
  readonly tools: readonly CatalogTool[];
};

/** One step of the catalog's history, in revision order: the server as it is now, or null when it is gone. */
export type CatalogChange = {
  readonly revision: number;
  readonly id: string;
  readonly server: CatalogServer | null;
};

/** How a local server is started. `env` holds names only, never values. */
export type Launch = {
  /** npm, pypi, oci, nuget, mcpb, or `command` when `identifier` is the program itself. */
  readonly registryType: string;
  readonly identifier: string;
  readonly version: string | null;
  readonly runtimeHint: string | null;
  readonly args: readonly string[];
  readonly env: readonly string[];
};

/** Everything known of one active server. */
export type ServerRecord = CatalogServer & {
  readonly authRequired: boolean;
  readonly version: string | null;
  readonly repositoryUrl: string | null;
  readonly launch: Launch | null;
  /** The revision of MCP that the operator wants it spoken to in. */
  readonly protocolRevision?: string | null;
  /** What each user brings for it. */
  readonly userCredentials?: UserCredentials | null;
  readonly source: string;
  /** Popularity before any use. */
  readonly prior: number;
  readonly revision: number;
  readonly createdAt: number;
  readonly updatedAt: number;
};

/** One server to be put: cleaned and within its limits, as `parse` makes it. */
export type ServerInput = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly version: string | null;
  readonly remoteUrl: string | null;
  readonly transport: Transport;
  readonly authType: AuthType | null;
  readonly category: string | null;
  readonly tags: readonly string[];
  readonly verified: boolean;
  readonly repositoryUrl: string | null;
  readonly launch: Launch | null;
  /** null or absent: what it speaks itself. */
  readonly protocolRevision?: string | null;
  /** null or absent: nothing. */
  readonly userCredentials?: UserCredentials | null;
  /** Popularity before any use, 0..1; null keeps what is known, or the newcomers' value. */
  readonly prior: number | null;
  /** Header fields of the operator's own, by lower-case name; null keeps those that are there, an empty object takes them away. */
  readonly headers: Readonly<Record<string, string>> | null;
  /** How we sign ourselves in at its authorization server, kept with `headers`: who says one of them says both. */
  readonly machineLogin?: MachineLogin | null;
  /** null: unknown, keep those that are known. */
  readonly tools: readonly CatalogTool[] | null;
};

/** Us as a client of a server's authorization server, for calls that no user stands behind (`client_credentials`). */
export type MachineLogin = {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string | null;
  /** A private JWK as text, in place of a secret. */
  readonly clientKey: string | null;
  /** In place of both: the file of MCPRANK_WORKLOAD_TOKENS by which the platform says who we are (RFC 7523 section 2.1). */
  readonly workloadToken?: string | null;
  readonly scopes: readonly string[];
};

export type ParsedServer =
  | { readonly ok: true; readonly input: ServerInput; readonly notes: readonly string[] }
  | { readonly ok: false; readonly reason: string };

export type PutReport = {
  readonly added: number;
  readonly updated: number;
  readonly unchanged: number;
  /** Tools written. */
  readonly tools: number;
};

/** A row that was skipped, or (in `notes`) kept with a change. `row` counts from 1. */
export type RowReport = { readonly file: string; readonly row: number; readonly reason: string };

export type ImportProgress = {
  readonly bytesRead: number;
  readonly bytesTotal: number;
  readonly servers: number;
  readonly tools: number;
  readonly skipped: number;
};

export type ImportReport = PutReport & {
  readonly servers: number;
  readonly removed: number;
  readonly skipped: number;
  /** The first twenty of each. */
  readonly problems: readonly RowReport[];
  readonly noted: number;
  readonly notes: readonly RowReport[];
  /** False when a file ended in the middle: then `replace` removed nothing. */
  readonly complete: boolean;
};

export type ImportOptions = {
  readonly source: string;
  /** Remove the servers of the same source that are not in the file, after all of it was read. */
  readonly replace?: boolean;
  readonly onProgress?: (progress: ImportProgress) => void;
  readonly signal?: AbortSignal;
};

export type SyncReport = PutReport & {
  readonly pages: number;
  readonly removed: number;
  readonly skipped: number;
  readonly problems: readonly { readonly id: string; readonly reason: string }[];
  /** True when it went on from where an earlier sync broke off. */
  readonly resumed: boolean;
};

export type ErrorType = 'auth' | 'rate_limit' | 'timeout' | 'invalid_arguments' | 'server' | 'other';
/** What the caller did wrong says nothing of the server. */
export const callersFaults = [
  'auth',
  'rate_limit',
  'invalid_arguments',
] as const satisfies readonly ErrorType[];

export type NewInvocation = {
  readonly developerId: string;
  readonly keyId: string;
  readonly serverId: string;
  readonly toolName: string;
  readonly success: boolean;
  readonly queryLogId?: string | null;
  readonly latencyMs?: number | null;
  readonly errorType?: ErrorType | null;
  readonly idempotencyKey?: string | null;
  /** How many calls this stands for, 1 unless said; `latencyMs` is their mean. */
  readonly calls?: number;
};
