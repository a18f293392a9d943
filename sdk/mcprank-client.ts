import type {
  ApiKey,
  ApiKeyRequest,
  Health,
  Invocation,
  KeptServer,
  NewApiKey,
  PutReport,
  RecordedInvocation,
  SearchHit,
  SearchQuery,
  SearchResult,
  SearchResults,
  Server,
  ServerChange,
  ServerPage,
} from './api.ts';
import { createMcpApi, type McpApi } from './mcp.ts';
import { type CallOptions, createSender, type SenderConfig } from './sender.ts';
import { createUser, type User } from './user.ts';

export type MCPRankClientOptions = SenderConfig;

type Admin = {
  readonly keys: {
    create(key: ApiKeyRequest, options?: CallOptions): Promise<NewApiKey>;
    list(options?: CallOptions): Promise<readonly ApiKey[]>;
    revoke(keyId: string, options?: CallOptions): Promise<void>;
  };
  readonly servers: {
    /** Adds or changes servers, all or none. */
    put(servers: unknown, options?: CallOptions): Promise<PutReport>;
    /** What is said is changed, the rest stays; headers are kept one by one. */
    change(serverId: string, change: ServerChange, options?: CallOptions): Promise<KeptServer>;
    remove(serverId: string, options?: CallOptions): Promise<void>;
    probe(serverId: string, options?: CallOptions): Promise<Health>;
  };
};

/** Users whose tokens are kept; whoever was not seen for longest is forgotten first. */
const usersKept = 10_000;

export class MCPRankClient {
  readonly mcp: McpApi;
  readonly admin: Admin;
  readonly #sender: ReturnType<typeof createSender>;
  readonly #users = new Map<string, User>();

  constructor(options: MCPRankClientOptions) {
    this.#sender = createSender(options);
    const { send } = this.#sender;
    this.mcp = createMcpApi(send);
    this.admin = createAdmin(send);
  }

  /** Servers and their tools, best first. */
  async search(request: SearchQuery | string, { signal }: CallOptions = {}): Promise<SearchResult> {
    const body = typeof request === 'string' ? { query: request } : request;
    return (await this.#sender.send('POST /v1/search', { body, signal })) as SearchResult;
  }

  /** Up to twenty searches in one call, answered in their order. */
  async searchMany(
    queries: readonly SearchQuery[],
    { signal }: CallOptions = {},
  ): Promise<readonly SearchResult[]> {
    const reply = await this.#sender.send('POST /v1/search', { body: { queries }, signal });
    return (reply as SearchResults).results;
  }

  /** One server after the other, page by page as they are wanted. */
  async *searchAll(request: SearchQuery, options: CallOptions = {}): AsyncGenerator<SearchHit, void> {
    let { cursor } = request;
    do {
      const page = await this.search({ ...request, cursor }, options);
      yield* page.servers;
      cursor = page.metadata.next_cursor;
    } while (cursor !== undefined);
  }

  readonly invocations = {
    /** What came of a call that went to the tool directly; calls through `mcp` are recorded by the service. */
    record: (
      invocation: Invocation,
      { respondAsync = false, signal }: CallOptions & { readonly respondAsync?: boolean } = {},
    ): Promise<RecordedInvocation> =>
      this.#sender.send('POST /v1/invocations', {
        body: invocation,
        signal,
        repeatable: invocation.idempotency_key !== undefined,
        ...(respondAsync ? { headers: { prefer: 'respond-async' } } : {}),
      }),
  };

  readonly servers = {
    get: (id: string, { signal }: CallOptions = {}): Promise<Server> =>
      this.#sender.send('GET /v1/servers/{id}', { params: { id }, signal }),
    list: (
      query: { readonly limit?: number; readonly cursor?: string } = {},
      { signal }: CallOptions = {},
    ): Promise<ServerPage> => this.#sender.send('GET /v1/servers', { query, signal }),
  };

  /** The user of that id; the same object, and so the same token, for the same id. */
  user(userId: string): User {
    const known = this.#users.get(userId) ?? createUser(this.#sender, userId);
    this.#users.delete(userId);
    this.#users.set(userId, known);
    for (const oldest of this.#users.keys()) {
      if (this.#users.size <= usersKept) break;
      this.#users.delete(oldest);
    }
    return known;
  }
}

function createAdmin(send: ReturnType<typeof createSender>['send']): Admin {
  return {
    keys: {
      create: (body, { signal } = {}) => send('POST /v1/admin/keys', { body, signal }),
      list: async ({ signal } = {}) => (await send('GET /v1/admin/keys', { signal })).keys,
      async revoke(id, { signal } = {}) {
        await send('DELETE /v1/admin/keys/{id}', { params: { id }, signal });
      },
    },
    servers: {
      // To put the same servers twice changes nothing the second time.
      put: (body, { signal } = {}) => send('POST /v1/admin/servers', { body, signal, repeatable: true }),
      change: (id, body, { signal } = {}) =>
        send('PATCH /v1/admin/servers/{id}', { params: { id }, body, signal }),
      async remove(id, { signal } = {}) {
        await send('DELETE /v1/admin/servers/{id}', { params: { id }, signal });
      },
      probe: async (id, { signal } = {}) =>
        (await send('POST /v1/admin/servers/{id}/probe', { params: { id }, signal })).health,
    },
  };
}
