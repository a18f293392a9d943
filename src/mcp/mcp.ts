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
import { type JsonPart, type JsonParts, joinJson } from '../base/json-splice.ts';
import { noTracing, type Tracing } from '../base/tracing.ts';
import type { Catalog, ProbeResult } from '../catalog/catalog.ts';
import type {
  AssertedTokens,
  AuthorizationRequests,
  MachineTokens,
  UserTokens,
} from '../connections/connections.ts';
import type { Outbound } from '../outbound/outbound.ts';
import type { Idempotency } from '../storage/storage.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { Vault } from '../vault/vault.ts';
import { Calls, type McpAnswer, type McpCall, type ToolList } from './calls.ts';
import { type ChannelPool, createChannelPool, defaultPoolLimits, type PoolLimits } from './channel-pool.ts';
import { Channels } from './channels.ts';
import { LocalServerList } from './config-file/local-server-list.ts';
import type { LocalServer } from './config-file/mcp-config.ts';
import type { Caller, Limits, OnNotification } from './mcp-model.ts';
import { answerCodec } from './messages/answer-codec.ts';
import { canonicalParams } from './messages/canonical-json.ts';
import { inMcpSpan, tellOutcome, withTraceContext } from './messages/mcp-spans.ts';
import { messageShape, withoutReservedMeta } from './messages/rpc-message.ts';
import { noParams } from './messages/rpc-request.ts';
import { listenToTarget, type TargetListening } from './negotiation/target-listener.ts';
import { createOutcomeRecorder, type OnToolCall, type OutcomeRecorder } from './outcome-recorder.ts';
import { type Address, type AddressFound, probeAddress, probeServer, toRow } from './probe-server.ts';
import { LocalServers } from './programs/local-servers.ts';
import type { OutputLine } from './programs/program-output.ts';
import { createSessionRelay, type SessionRelay } from './session-relay/session-relay.ts';
import { createTargets, operatorId, type Targets } from './targets.ts';
import { createWithAuthorization } from './with-authorization.ts';

export type { McpAnswer, McpCall, ToolList } from './calls.ts';
export type { PoolLimits } from './channel-pool.ts';
export { ConfigFile } from './config-file/config-file.ts';
export { LocalServerList } from './config-file/local-server-list.ts';
export { type LocalServer, parseMcpConfig } from './config-file/mcp-config.ts';
export { inputRequestsJson, responsesIn } from './input-required.ts';
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
export { canonicalParams } from './messages/canonical-json.ts';
export { serverInfoIn, serverInfoKey } from './messages/handshake.ts';
export { inMcpSpan, tellError } from './messages/mcp-spans.ts';
export { decodeHeader } from './messages/mirrored-headers.ts';
export {
  isReserved,
  keptMeta,
  messageShape,
  paramsShape,
  rpcError,
  toMessage,
  withoutReservedMeta,
} from './messages/rpc-message.ts';
export {
  noParams,
  ownParams,
  paramsOf,
  toolParams,
  withLogLevel,
  withParams,
} from './messages/rpc-request.ts';
export { RpcFailure, resultIn } from './messages/tool-list.ts';
export type { ToolCall } from './outcome-recorder.ts';
export type { Address, AddressFound } from './probe-server.ts';
export type { SessionReply, SessionRequest } from './session-relay/session-relay.ts';
export { principalOf } from './targets.ts';

export type Mcp = {
  /** Any method. Throws `not_found`, `server_gone`, `invalid_request` and UpstreamFailure. */
  call(caller: Caller, call: McpCall): Promise<McpAnswer>;
  /** The same; with one key, one execution, before which `onStart` may still throw. */
  callOnce(
    caller: Caller,
    call: McpCall,
    once: { readonly key: string; readonly onStart: () => Promise<void> },
  ): Promise<McpAnswer>;
  /** Every page of a server's tools. */
  listTools(caller: Caller, serverId: string): Promise<ToolList>;
  /** What an initialize-based client says in a session of its own with a server, and what it is answered. */
  relay: SessionRelay['relay'];
  /**
   * What a server tells beside all calls, until it is unsubscribed; also when the user connects anew, or the token is renewed.
   * `onAgain`: it is another session then, in which nothing is subscribed to yet.
   */
  listen(
    caller: Caller,
    serverId: string,
    onNotification: OnNotification,
    onAgain?: () => void,
  ): Promise<() => void>;
  /** The same while the principal's calls keep a session there: it opens and keeps none itself. */
  overhear(caller: Caller, serverId: string, onNotification: OnNotification): Promise<() => void>;
  /** Probes a server in the operator's name: is it alive, how does it speak, what does it offer. */
  probe(serverId: string, signal?: AbortSignal): Promise<ProbeResult>;
  /** The same of an address that is in no catalogue, with what its server calls itself. Nothing of it is kept. */
  probeAddress(address: Address, signal?: AbortSignal): Promise<AddressFound>;
  /** A user's connection is another one now, or gone: its sessions end when nobody is in the middle of a call. */
  retireConnection(connectionId: string): void;
  /** Takes out of the catalogue what an earlier file of the operator's named and this one does not. */
  removeFormerLocalServers(): Promise<void>;
  /** Puts the operator's own servers into the catalogue, and what they list behind it. */
  registerLocalServers(): Promise<void>;
  /** The operator's own servers are others now. */
  replaceLocalServers(servers: readonly LocalServer[]): Promise<void>;
  /** Of a server of the operator's own: the same as long as it is started, or reached, in the same way; null: it is none. */
  localVersion(serverId: string): string | null;
  /** What a program wrote last in this process, masked; nothing of a server that is none. */
  outputOf(serverId: string): readonly OutputLine[];
  /** `noiseLines`: what programs wrote where only messages belong. */
  stats(): { readonly upstreams: number; readonly noiseLines: number };
  /** Ends the streams that stay open by design, and programs that are still being started, so that nobody waits for them. */
  closeStreams(): void;
  close(): Promise<void>;
};

export type McpDeps = {
  readonly catalog: Pick<
    Catalog,
    'get' | 'put' | 'parse' | 'list' | 'remove' | 'health' | 'enqueueInvocations' | 'credential' | 'peek'
  >;
  /** Users' own tokens for servers, and sessions for those who have none. */
  readonly connections: {
    readonly tokens: Pick<UserTokens, 'forServer' | 'isRefusedByFailing' | 'onChange'>;
    readonly machineTokens: Pick<MachineTokens, 'get'>;
    readonly assertedTokens: AssertedTokens;
    readonly requests: Pick<AuthorizationRequests, 'requestAuthorization' | 'requestScopes'>;
  };
  readonly outbound: Outbound;
  readonly tickets: Vault['sealedTokens'];
  /** Under which what has a key is done once. */
  readonly idempotency: Pick<Idempotency, 'of'>;
  /** Told of each tools/call that went to a server, and what came of it. */
  readonly onToolCall?: OnToolCall;
  readonly clock: Clock;
  readonly log: Log;
  readonly tracing?: Tracing;
  readonly locals?: LocalServerList;
  /** Called when they are others, and before these are in the catalogue. */
  readonly onLocalsChange?: () => Promise<void>;
  /** Where it is noted which children there are, so that none outlives us; null: nowhere. */
  readonly dataDir?: string | null;
  /** What child processes may see of our environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly limits?: Partial<Limits>;
  readonly pool?: Partial<PoolLimits>;
};

const defaultMcpLimits: Limits = {
  firstByteMs: 60_000,
  idleMs: 60_000,
  discoverMs: 3_000,
  totalMs: 120_000,
  questionMs: 300_000,
  maxBytes: 8_500_000,
  reprobeMs: 3_600_000,
};

const sweepIntervalMs = 30_000;
/** In whose name the operator's own servers are asked for their tools. */
const operator: Caller = { developerId: operatorId, keyId: operatorId };

export function createMcp(deps: McpDeps): Mcp {
  const { catalog, clock, log, outbound, tickets } = deps;
  const limits: Limits = { ...defaultMcpLimits, ...deps.limits };
  const locals = deps.locals ?? new LocalServerList(undefined);
  const outcomes = createOutcomeRecorder(catalog, log, deps.onToolCall ?? (() => undefined));
  const { requests } = deps.connections;
  const targets = createTargets({ ...deps.connections, catalog, locals, checkUrl: outbound.checkUrl });
  const withAuthorization = createWithAuthorization({ targets, requests });
  const tracing = deps.tracing ?? noTracing;
  const channels = new Channels({ environment: {}, dataDir: null, ...deps, tracing, limits });
  const pool = createChannelPool({
    make: (target, prefersSession) => channels.open(target, prefersSession),
    limits: { ...defaultPoolLimits, ...deps.pool },
    now: clock.monotonic,
  });
  const { questionMs } = limits;
  const calls = new Calls({ withAuthorization, pool, tickets, questionMs, now: clock.monotonic });
  const sessions = createSessionRelay({
    withAuthorization,
    outbound,
    tickets,
    outcomes,
    limits,
    tracing,
    now: clock.monotonic,
  });
  const sweeping = setInterval(() => {
    pool.sweep();
    sessions.sweep();
  }, sweepIntervalMs).unref();
  const probe: Mcp['probe'] = (serverId, signal) => {
    const open = async () => channels.openProbe((await targets.find(operator, serverId)).target, pool);
    return probeServer(open, clock.monotonic, { signal });
  };
  const localServers = new LocalServers({
    servers: locals,
    catalog,
    log,
    probe,
    retire: (id) => pool.retire(id),
    onChange: deps.onLocalsChange ?? (async () => undefined),
  });
  const call = createTracedCall(tracing, createRecordedCall(calls, outcomes, { clock, localServers }));

  return {
    call,
    callOnce: callOnceWith(deps.idempotency, call),
    async listTools(caller, serverId) {
      const list = await inMcpSpan(tracing, 'client', { method: 'tools/list', serverId }, () =>
        calls.listTools(caller, serverId),
      );
      void localServers.adopt(serverId, () => list.tools.map(toRow));
      return list;
    },
    async relay(caller, request) {
      const reply = await sessions.relay(caller, request);
      if (reply !== null && reply.status < 300) localServers.noticeSuccess(request.serverId);
      return reply;
    },
    ...createHearing(targets, pool, deps.connections.tokens),
    probe,
    probeAddress: (address, signal) =>
      probeAddress((target) => channels.openProbe(target, pool), address, { now: clock.monotonic, signal }),
    ...localServerVerbs(localServers),
    retireConnection: (connectionId) => pool.retireConnection(connectionId),
    outputOf: (serverId) => channels.outputOf(serverId),
    stats: () => ({ upstreams: pool.size(), noiseLines: channels.noiseLines }),
    closeStreams() {
      sessions.close();
      localServers.close();
      pool.cancelOpening();
    },
    async close() {
      clearInterval(sweeping);
      localServers.close();
      outcomes.flush();
      calls.close();
      pool.close();
    },
  };
}

/** What servers tell beside calls; their targets are others, or there are some again, where the user's connections are others. */
function createHearing(
  targets: Targets,
  pool: ChannelPool,
  tokens: Pick<UserTokens, 'onChange'>,
): Pick<Mcp, 'listen' | 'overhear'> {
  const targetOf = (caller: Caller, serverId: string): Pick<TargetListening, 'find' | 'watch'> => ({
    find: async () => (await targets.find(caller, serverId)).target,
    watch: (look) => {
      const { developerId, userId } = caller;
      return userId === undefined ? () => undefined : tokens.onChange({ developerId, userId }, look);
    },
  });
  return {
    listen: (caller, serverId, onNotification, onAgain) =>
      listenToTarget({
        ...targetOf(caller, serverId),
        start: (target, onOver) =>
          pool.hold(target, caller.prefersSession === true, { onNotification, onOver }),
        onAgain,
      }),
    overhear: (caller, serverId, onNotification) =>
      listenToTarget({
        ...targetOf(caller, serverId),
        start: (target, onOver) => pool.overhear(target, { onNotification, onOver }),
      }),
  };
}

function callOnceWith(idempotency: Pick<Idempotency, 'of'>, call: Mcp['call']): Mcp['callOnce'] {
  const once = idempotency.of(answerCodec);
  return (caller, request, { key, onStart }) =>
    once(
      {
        developerId: caller.developerId,
        userId: caller.userId,
        key,
        body: [fingerprint(request), ...(caller.account === undefined ? [] : [caller.account])],
      },
      async () => {
        await onStart();
        // Whoever asks again wants this execution's answer: it goes on when the first caller has gone.
        return call(withoutSignal(caller), request);
      },
    );
}

function localServerVerbs(
  servers: LocalServers,
): Pick<Mcp, 'removeFormerLocalServers' | 'registerLocalServers' | 'replaceLocalServers' | 'localVersion'> {
  return {
    localVersion: (serverId) => servers.versionOf(serverId),
    removeFormerLocalServers: () => servers.removeFormer(),
    registerLocalServers: () => servers.register(),
    replaceLocalServers: (next) => servers.replace(next),
  };
}

/** A call whose outcome, where it is one of a tool, is recorded behind its answer. */
function createRecordedCall(
  calls: Calls,
  outcomes: OutcomeRecorder,
  { clock, localServers }: { readonly clock: Clock; readonly localServers: LocalServers },
): Mcp['call'] {
  return async (caller, request) => {
    const isTool = request.method === 'tools/call';
    if (!isTool && !localServers.hasUnlisted()) return calls.proceed(caller, request);
    const started = clock.monotonic();
    try {
      const answer = await calls.proceed(caller, request);
      if (localServers.hasUnlisted()) localServers.noticeSuccess(request.serverId);
      if (isTool && answer.kind === 'reply')
        outcomes.record(caller, request, answer.reply, clock.monotonic() - started);
      return answer;
    } catch (error) {
      if (isTool) outcomes.recordFailure(caller, request, error, clock.monotonic() - started);
      throw error;
    }
  };
}

/** A call as a span whose context goes with it. */
function createTracedCall(tracing: Tracing, call: Mcp['call']): Mcp['call'] {
  if (!tracing.isOn) return call;
  return (caller, request) => {
    const { method, params = noParams, serverId } = request;
    return inMcpSpan(tracing, 'client', { method, name: params.name, serverId }, async (span) => {
      const answer = await call(caller, { ...request, params: withTraceContext(tracing, params) });
      if (answer.kind === 'reply') tellOutcome(span, answer.reply);
      return answer;
    });
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
  const isError = result.get('isError')?.text() === 'true';
  const parts: JsonPart[] = ['{"content":', ...(content === undefined ? ['[]'] : contentOf(content))];
  parts.push(`,"isError":${isError}`);
  const structured = structuredIn(result);
  if (structured !== undefined) parts.push(',"structuredContent":', structured.span());
  const meta = metaOf(result);
  if (meta !== undefined) parts.push(',"_meta":', meta.span());
  parts.push('}');
  return parts;
}

/** Some servers answer with a bare text, or one block, where a list of content blocks is due. */
export function contentOf(content: JsonView): JsonParts {
  if (content.kind === 'array') return [content.span()];
  if (content.kind === 'object') return ['[', content.span(), ']'];
  return content.kind === 'string' ? ['[{"type":"text","text":', content.span(), '}]'] : ['[]'];
}

/** 2026-07-28 allows every kind of value, null among them; before, null says the same as nothing. */
export function structuredIn(result: JsonView): JsonView | undefined {
  return result.get('resultType') === undefined
    ? result.present('structuredContent')
    : result.get('structuredContent');
}

function metaOf(result: JsonView): JsonView | undefined {
  const meta = result.present('_meta');
  if (meta?.kind !== 'object') return undefined;
  const kept = withoutReservedMeta(result);
  const first = kept[0];
  if (kept.length === 1 && Buffer.isBuffer(first)) return meta;
  return scanJson(joinJson(kept), messageShape.result).present('_meta');
}
