/**
 * One JSON-RPC exchange with one upstream, whatever its protocol age and transport, on bytes: what is not ours to read is
 * passed on as the span that came.
 *
 * Promises: a caller needs to know neither age nor transport (2026-07-28, initialize-based, HTTP+SSE, child process); no
 * two principals ever share a session, a header, a cookie or an answer; nothing of the caller's own credentials goes
 * upstream; a call is sent twice only where the first one surely did not run; every exchange is bounded in time and
 * bytes; what comes of a tools/call is recorded by itself.
 * When an upstream is dead, slow or no MCP server at all, its caller gets an UpstreamFailure in words and nobody else
 * notices. When the catalogue cannot write the outcome, the call's answer stands and the log has a line. When this
 * process restarts, open questions (`input_required`) are over and their callers are told so.
 */
import type { Clock } from '../base/clock.ts';
import { type JsonView, scanJson } from '../base/json-scanner.ts';
import { type JsonParts, joinJson } from '../base/json-splice.ts';
import type { Catalog, ProbeResult } from '../catalog/catalog.ts';
import type { AuthorizationRequests, UserTokens } from '../connections/connections.ts';
import { inBackground, type Outbound } from '../outbound/outbound.ts';
import type { Idempotency } from '../storage/storage.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { Vault } from '../vault/vault.ts';
import { Calls, type McpAnswer, type McpCall, type ToolList } from './calls.ts';
import { type ChannelPool, createChannelPool, defaultPoolLimits, type PoolLimits } from './channel-pool.ts';
import {
  type Caller,
  type Channel,
  type Limits,
  type OnNotification,
  type Target,
  UpstreamFailure,
} from './mcp-model.ts';
import { answerCodec } from './messages/answer-codec.ts';
import { canonicalParams } from './messages/canonical-json.ts';
import { messageShape, withoutReservedMeta } from './messages/rpc-message.ts';
import { HttpUpstream } from './negotiation/http-upstream.ts';
import { createOutcomeRecorder, type OutcomeRecorder } from './outcome-recorder.ts';
import { probeServer } from './probe-server.ts';
import { LocalServers } from './programs/local-servers.ts';
import type { LocalServer } from './programs/mcp-config.ts';
import { ProgramChannel } from './programs/program-channel.ts';
import { createSessionRelay, type SessionRelay } from './session-relay/session-relay.ts';
import { createTargets, notCallable, operatorId, type Targets } from './targets.ts';
import { createWithAuthorization } from './with-authorization.ts';

export type { McpAnswer, McpCall, ToolList } from './calls.ts';
export { responsesIn } from './input-required.ts';
export {
  type Caller,
  type InputResponses,
  type Limits,
  type Notification,
  type RpcError,
  type RpcParams,
  type ServerRequest,
  UpstreamFailure,
} from './mcp-model.ts';
export { decodeHeader } from './messages/mirrored-headers.ts';
export {
  isReserved,
  messageShape,
  paramsShape,
  rpcError,
  toMessage,
  withoutReservedMeta,
} from './messages/rpc-message.ts';
export { noParams, ownParams, paramsOf, toolParams } from './messages/rpc-request.ts';
export { resultIn } from './messages/tool-list.ts';
export { type LocalServer, parseMcpConfig, trustedHosts } from './programs/mcp-config.ts';
export type { SessionReply, SessionRequest } from './session-relay/session-relay.ts';

export type Mcp = {
  /** Any method. Throws `not_found`, `server_gone`, `invalid_request` and UpstreamFailure. */
  call(caller: Caller, call: McpCall): Promise<McpAnswer>;
  /** The same; with one key, one execution. */
  callOnce(caller: Caller, call: McpCall, idempotencyKey: string): Promise<McpAnswer>;
  /** Every page of a server's tools. */
  listTools(caller: Caller, serverId: string): Promise<ToolList>;
  /** What an initialize-based client says in a session of its own with a server, and what it is answered. */
  relay: SessionRelay['relay'];
  /** What a server tells beside all calls, until it is unsubscribed. */
  listen(caller: Caller, serverId: string, onNotification: OnNotification): Promise<() => void>;
  /** Probes a server in the operator's name: is it alive, how does it speak, what does it offer. */
  probe(serverId: string, signal?: AbortSignal): Promise<ProbeResult>;
  /** Puts the operator's own servers into the catalogue, and what they list behind it. */
  registerLocalServers(): Promise<void>;
  stats(): { readonly upstreams: number };
  /** Ends the streams that stay open by design, so that nobody waits for them. */
  closeStreams(): void;
  close(): Promise<void>;
};

export type McpDeps = {
  readonly catalog: Pick<Catalog, 'get' | 'put' | 'parse' | 'enqueueInvocations' | 'credential' | 'peek'>;
  /** Users' own tokens for servers, and sessions for those who have none. */
  readonly connections: {
    readonly tokens: Pick<UserTokens, 'forServer' | 'isRefusedByFailing'>;
    readonly requests: Pick<AuthorizationRequests, 'requestAuthorization' | 'requestScopes'>;
  };
  readonly outbound: Outbound;
  readonly tickets: Vault['sealedTokens'];
  /** Under which what has a key is done once. */
  readonly idempotency: Pick<Idempotency, 'of'>;
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
  questionMs: 300_000,
  maxBytes: 8_500_000,
  reprobeMs: 3_600_000,
};

/** A probe is not worth waiting long for; a server that is slower than this is no use to anybody. */
const probeLimits: Limits = { ...defaultMcpLimits, firstByteMs: 10_000, idleMs: 10_000, totalMs: 20_000 };
const sweepIntervalMs = 30_000;
/** In whose name the operator's own servers are asked for their tools. */
const operator: Caller = { developerId: operatorId, keyId: operatorId };

export function createMcp(deps: McpDeps): Mcp {
  const { catalog, clock, log, outbound, tickets } = deps;
  const limits: Limits = { ...defaultMcpLimits, ...deps.limits };
  const locals = new Map((deps.locals ?? []).map((server) => [server.id, server]));
  const outcomes = createOutcomeRecorder(catalog, log);
  const targets = createTargets({ catalog, tokens: deps.connections.tokens, locals });
  const withAuthorization = createWithAuthorization({ targets, requests: deps.connections.requests });
  const pool = createChannelPool({
    make: (target) => openChannel(deps, target, limits),
    limits: { ...defaultPoolLimits, ...deps.pool },
    now: clock.monotonic,
  });
  const calls = new Calls({
    withAuthorization,
    pool,
    tickets,
    questionMs: limits.questionMs,
    now: clock.monotonic,
  });
  const sessions = createSessionRelay({
    withAuthorization,
    outbound,
    tickets,
    outcomes,
    limits,
    now: clock.monotonic,
  });
  const sweeping = setInterval(() => {
    pool.sweep();
    sessions.sweep();
  }, sweepIntervalMs).unref();
  const once = deps.idempotency.of(answerCodec);
  const call = createRecordedCall(calls, outcomes, clock);
  const localServers = new LocalServers({
    servers: locals,
    catalog,
    log,
    listTools: async (serverId) => (await calls.listTools(operator, serverId)).tools,
  });

  return {
    call,
    callOnce: (caller, request, key) =>
      once({ developerId: caller.developerId, userId: caller.userId, key, body: fingerprint(request) }, () =>
        // Whoever asks again wants this execution's answer: it goes on when the first caller has gone.
        call(withoutSignal(caller), request),
      ),
    async listTools(caller, serverId) {
      const list = await calls.listTools(caller, serverId);
      void localServers.adopt(serverId, list.tools);
      return list;
    },
    relay: sessions.relay,
    listen: (caller, serverId, onNotification) => listen(targets, pool, { caller, serverId, onNotification }),
    probe: (serverId, signal) =>
      probeServer(() => openProbe(deps, targets, pool, serverId), clock.monotonic, signal),
    registerLocalServers: () => localServers.register(),
    stats: () => ({ upstreams: pool.size() }),
    closeStreams: sessions.close,
    async close() {
      clearInterval(sweeping);
      localServers.close();
      outcomes.flush();
      calls.close();
      pool.close();
    },
  };
}

/** A call whose outcome, where it is one of a tool, is recorded behind its answer. */
function createRecordedCall(calls: Calls, outcomes: OutcomeRecorder, clock: Clock): Mcp['call'] {
  return async (caller, request) => {
    if (request.method !== 'tools/call') return calls.proceed(caller, request);
    const started = clock.monotonic();
    try {
      const answer = await calls.proceed(caller, request);
      if (answer.kind === 'reply')
        outcomes.record(caller, request, answer.reply, clock.monotonic() - started);
      return answer;
    } catch (error) {
      outcomes.recordFailure(caller, request, error, clock.monotonic() - started);
      throw error;
    }
  };
}

function openChannel(
  deps: McpDeps,
  target: Target,
  limits: Limits,
): Channel & Partial<Pick<HttpUpstream, 'protocolMode'>> {
  const { outbound, clock, log, environment = {} } = deps;
  const { program, url, serverId } = target;
  const now = clock.monotonic;
  if (program !== null) {
    const onOutput = (line: string) => log.debug('mcp.program.output', { server_id: serverId, line });
    return new ProgramChannel({ program, environment, limits, now, onOutput });
  }
  if (url === null) throw new UpstreamFailure('refused', notCallable);
  return new HttpUpstream({ target: { ...target, url }, outbound, limits, now });
}

async function openProbe(deps: McpDeps, targets: Targets, pool: ChannelPool, serverId: string) {
  const { target } = await targets.find(operator, serverId);
  const background = { ...deps, outbound: inBackground(deps.outbound) };
  if (target.program === null) return openChannel(background, target, probeLimits);
  // A program is not started a second time for a probe.
  const { channel, release } = pool.acquire(target);
  return { send: channel.send.bind(channel), listen: channel.listen.bind(channel), close: release };
}

async function listen(
  targets: Targets,
  pool: ChannelPool,
  asked: { readonly caller: Caller; readonly serverId: string; readonly onNotification: OnNotification },
): Promise<() => void> {
  const { target } = await targets.find(asked.caller, asked.serverId);
  const { channel, release } = pool.acquire(target);
  const unsubscribe = channel.listen(asked.onNotification);
  return () => {
    unsubscribe();
    release();
  };
}

function withoutSignal({ signal: _, onNotification: __, ...caller }: Caller): Caller {
  return caller;
}

/** What makes two requests the same. */
function fingerprint({ serverId, method, params, continuation, inputResponses }: McpCall): unknown {
  const answers = [...(inputResponses ?? [])].map(([key, view]) => [key, view.text()]);
  return [serverId, method, canonicalParams(params), continuation ?? null, answers];
}

/** The parts of a tools/call result that a REST caller gets, each as the server wrote it. */
export function toolResult(result: JsonView): JsonParts {
  const content = result.present('content');
  const parts: JsonParts[] = [
    ['"content":', ...(content === undefined ? ['[]'] : contentOf(content))],
    ['"isError":', result.get('isError')?.text() === 'true' ? 'true' : 'false'],
  ];
  const structured = result.get('structuredContent');
  if (structured !== undefined) parts.push(['"structuredContent":', structured.span()]);
  const meta = metaOf(result);
  if (meta !== undefined) parts.push(['"_meta":', meta.span()]);
  return ['{', ...parts.flatMap((part, i) => (i === 0 ? part : [',', ...part])), '}'];
}

/** Some servers answer with a bare text where a list of content blocks is due. */
function contentOf(content: JsonView): JsonParts {
  if (content.kind === 'array') return [content.span()];
  return content.kind === 'string' ? ['[{"type":"text","text":', content.span(), '}]'] : ['[]'];
}

function metaOf(result: JsonView): JsonView | undefined {
  const meta = result.present('_meta');
  if (meta?.kind !== 'object') return undefined;
  const kept = withoutReservedMeta(result);
  const first = kept[0];
  if (kept.length === 1 && Buffer.isBuffer(first)) return meta;
  return scanJson(joinJson(kept), messageShape.result).present('_meta');
}
