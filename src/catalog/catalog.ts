/**
 * The catalogue: which MCP servers there are, their tools, how much they are used, and where each came from.
 *
 * Promises: what was acknowledged is durable; a removed server stays known as gone (410), never as unknown;
 * every change has a revision, and revisions only grow, so that a reader can ask for what is new to it.
 * When the store below fails, the caller gets the store's Problem and nothing is half-written.
 */

export type Transport = 'streamable-http' | 'sse' | 'stdio';
export type AuthType = 'api_key' | 'bearer' | 'oauth2';

/** One tool as its server lists it. `inputSchema` is JSON text (an object), kept as text because it is only passed on. */
export type CatalogTool = {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: string;
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
  /** 0..1: decayed use by distinct developers over a prior from registry signals. */
  readonly popularity: number;
  readonly tools: readonly CatalogTool[];
};

/** One step of the catalogue's history, in revision order: the server as it is now, or null when it is gone. */
export type CatalogChange = {
  readonly revision: number;
  readonly id: string;
  readonly server: CatalogServer | null;
};
