/**
 * One JSON-RPC exchange with one upstream, whatever its era and transport.
 *
 * Promises: a caller needs to know neither (2026-07-28, initialize-based, HTTP+SSE, child process); no two principals
 * ever share a session, a header, a cookie or an answer; nothing of the caller's own credentials goes upstream; a
 * call is sent twice only where the first one surely did not run; every exchange is bounded in time and bytes; what
 * comes of a tools/call is recorded by itself.
 * When an upstream is dead, slow or no MCP server at all, its caller gets an UpstreamFailure in words and nobody else
 * notices. When the catalogue cannot write the outcome, the call's answer stands and the log has a line. When this
 * process restarts, open questions (`input_required`) are over and their callers are told so.
 */

import type { Clock } from '../base/clock.ts';
import { forEachConcurrent } from '../base/concurrency.ts';
import { createIdempotency } from '../base/idempotency.ts';
import { isObject } from '../base/json.ts';
import type { Catalog, Finding } from '../catalog/catalog.ts';
import type { AuthorizationRequests, UserTokens } from '../connections/connections.ts';
import { inBackground, type Outbound } from '../outbound/outbound.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { Vault } from '../vault/vault.ts';
import { createExchanges, type McpAnswer, type McpCall } from './calls.ts';
import { createPool, defaultPoolLimits, type PoolLimits } from './channel-pool.ts';
import {
  type Caller,
  type Json,
  type Limits,
  type RpcReply,
  type Target,
  UpstreamFailure,
} from './mcp-model.ts';
import { resultOf } from './messages/tool-list.ts';
import { createUpstream } from './negotiation/http-upstream.ts';
import { createOutcomes } from './outcome-recorder.ts';
import { inspect } from './probe-server.ts';
import { describeLocal, type LocalServer } from './programs/mcp-config.ts';
import { createProgramUpstream } from './programs/program-channel.ts';
import { createSessions, type Sessions } from './session-relay/session-relay.ts';
import { createTargets, notHere, parsed, principalOf } from './targets.ts';
import { createConsent } from './with-authorization.ts';

export type { McpAnswer, McpCall } from './calls.ts';
export { type Caller, type Json, type Limits, type RpcReply, UpstreamFailure } from './mcp-model.ts';
export { type LocalServer, parseMcpConfig, trustedHosts } from './programs/mcp-config.ts';
export type { SessionReply, SessionRequest } from './session-relay/session-relay.ts';

export type Mcp = {
  /** Any method. Throws `not_found`, `server_gone`, `invalid_request` and UpstreamFailure. */
  call(caller: Caller, call: McpCall): Promise<McpAnswer>;
  /** The same; with one key, one execution. */
  callOnce(caller: Caller, call: McpCall, idempotencyKey: string): Promise<McpAnswer>;
  /** Every page of a server's tools. */
  listTools(
    caller: Caller,
    serverId: string,
  ): Promise<{ readonly tools: readonly Json[]; readonly upstreamMs: number }>;
  /** What an initialize-era client says in a session of its own with a server, and what it is answered. */
  relay: Sessions['relay'];
  /** Looks at a server in the operator's name: is it alive, how does it speak, what does it offer. */
  inspect(serverId: string, signal?: AbortSignal): Promise<Finding>;
  /** Puts the operator's own servers into the catalogue, and what they list behind it. */
  adopt(): Promise<void>;
  stats(): { readonly upstreams: number };
  /** Ends the streams that stay open by design, so that nobody waits for them. */
  quiet(): void;
  close(): Promise<void>;
};

export type McpDeps = {
  readonly catalog: Pick<Catalog, 'get' | 'put' | 'parse' | 'noteInvocations' | 'credential' | 'warm'>;
  /** Users' own tokens for servers, and sessions for those who have none. */
  readonly connections: {
    readonly tokens: Pick<UserTokens, 'forServer'>;
    readonly requests: Pick<AuthorizationRequests, 'requestAuthorization' | 'requestScopes'>;
  };
  readonly outbound: Outbound;
  readonly tickets: Vault['sealedTokens'];
  readonly clock: Clock;
  readonly log: Log;
  readonly locals?: readonly LocalServer[];
  /** What child processes may see of our environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly limits?: Partial<Limits>;
  readonly pool?: Partial<PoolLimits>;
};

const defaultMcpLimits: Limits = {
  firstByteMs: 60_000,
  idleMs: 60_000,
  totalMs: 120_000,
  askMs: 300_000,
  maxBytes: 8_000_000,
  reprobeMs: 3_600_000,
};

/** A look is not worth waiting long for; a server that is slower than this is no use to anybody. */
const inspectLimits: Limits = { ...defaultMcpLimits, firstByteMs: 10_000, idleMs: 10_000, totalMs: 20_000 };
const sweepMs = 30_000;
/** In whose name the operator's own servers are asked for their tools. */
const operator: Caller = { developerId: 'operator', keyId: 'operator' };
const adoptAtOnce = 4;

export function createMcp(deps: McpDeps): Mcp {
  const { catalog, clock, log, outbound } = deps;
  const limits: Limits = { ...defaultMcpLimits, ...deps.limits };
  // A probe waits behind calls, never the other way round.
  const background = { ...deps, outbound: inBackground(outbound) };
  const locals = new Map((deps.locals ?? []).map((server) => [server.id, server]));
  const outcomes = createOutcomes(catalog, log);
  const targets = createTargets({ catalog, tokens: deps.connections.tokens, locals });
  const consent = createConsent({ targets, requests: deps.connections.requests });
  const once = createIdempotency<McpAnswer>({ now: clock.monotonic, mayRetry: ranNothing });
  const pool = createPool({
    make: (target) => makeChannel(deps, target, limits),
    limits: { ...defaultPoolLimits, ...deps.pool },
    now: clock.monotonic,
  });
  const exchanges = createExchanges({
    consent,
    pool,
    tickets: deps.tickets,
    askMs: limits.askMs,
    now: clock.monotonic,
  });
  const sessions = createSessions({
    consent,
    outbound,
    tickets: deps.tickets,
    outcomes,
    limits,
    now: clock.monotonic,
  });
  const sweep = () => {
    pool.sweep();
    sessions.sweep();
  };
  const sweeping = setInterval(sweep, sweepMs).unref();

  const call: Mcp['call'] = async (caller, request) => {
    if (request.method !== 'tools/call') return exchanges.proceed(caller, request);
    const started = clock.monotonic();
    try {
      const answer = await exchanges.proceed(caller, request);
      if (answer.kind === 'reply')
        outcomes.record(caller, request, answer.reply, clock.monotonic() - started);
      return answer;
    } catch (error) {
      outcomes.recordFailure(caller, request, error, clock.monotonic() - started);
      throw error;
    }
  };

  const adoptTools = async (server: LocalServer) => {
    try {
      const { tools } = await exchanges.listTools(operator, server.id);
      await catalog.put([parsed(catalog, { ...describeLocal(server), tools })], 'config');
      log.info('a server of the MCP configuration is ready', { server_id: server.id, tools: tools.length });
    } catch (error) {
      log.warn('a server of the MCP configuration does not list its tools', { server_id: server.id, error });
    }
  };

  return {
    call,
    callOnce: (caller, request, key) =>
      once(principalOf(caller), key, request, () =>
        // Whoever asks again wants this execution's answer: it goes on when the first caller has gone.
        call(unhurried(caller), request),
      ),
    listTools: exchanges.listTools,
    relay: sessions.relay,
    inspect(serverId, signal) {
      const open = async () => {
        const { target } = await targets.find(operator, serverId);
        if (target.program === null) return makeChannel(background, target, inspectLimits);
        // A program is not started a second time for a look.
        const { channel, release } = pool.acquire(target);
        return { send: channel.send, close: release };
      };
      return inspect(open, clock.monotonic, signal);
    },
    async adopt() {
      if (locals.size === 0) return;
      await catalog.put(
        [...locals.values()].map((server) => parsed(catalog, describeLocal(server))),
        'config',
      );
      await forEachConcurrent(locals.values(), { limit: adoptAtOnce }, adoptTools);
    },
    stats: () => ({ upstreams: pool.size() }),
    quiet: sessions.close,
    async close() {
      clearInterval(sweeping);
      outcomes.flush();
      exchanges.close();
      pool.close();
    },
  };
}

function makeChannel(deps: McpDeps, target: Target, limits: Limits) {
  const { outbound, clock, log, environment = {} } = deps;
  const { program, url } = target;
  if (program !== null) {
    const onNoise = (line: string) => log.debug('a program says', { server_id: target.serverId, line });
    return createProgramUpstream({ program, environment, limits, now: clock.monotonic, onNoise });
  }
  if (url === null) throw new UpstreamFailure('refused', notHere);
  return createUpstream({ target: { ...target, url }, outbound, limits, now: clock.monotonic });
}

function unhurried({ signal: _, notice: __, ...caller }: Caller): Caller {
  return caller;
}

function ranNothing(error: unknown): boolean {
  return !(error instanceof UpstreamFailure) || ['refused', 'auth', 'rate_limited'].includes(error.reason);
}

/** The parts of a tools/call result that a REST caller gets, as JSON has them: what is undefined is not there. */
export function toolResult(reply: RpcReply): Json {
  const { content, isError, structuredContent, _meta } = resultOf(reply);
  return {
    content: Array.isArray(content) ? content : [],
    isError: isError === true,
    structuredContent,
    _meta: isObject(_meta) ? _meta : undefined,
  };
}
