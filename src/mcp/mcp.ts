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
import { createIdempotency } from '../base/idempotency.ts';
import { Problem } from '../base/problem.ts';
import type { Catalog, Credential, Finding, ServerRecord } from '../catalog/catalog.ts';
import type { Outbound } from '../outbound/outbound.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { Vault } from '../vault/vault.ts';
import { createInputs, type InputNeeded, type Subject } from './calls/input.ts';
import { inspect } from './calls/inspect.ts';
import { createOutcomes } from './calls/outcome.ts';
import { createMirrors, listAllTools, resultOf } from './calls/tools.ts';
import { describeLocal, type LocalServer } from './local.ts';
import {
  type InputResponses,
  type Json,
  type Limits,
  type Notice,
  type RpcReply,
  type RpcRequest,
  type SendOptions,
  type Step,
  type Target,
  UpstreamFailure,
} from './model.ts';
import { createPool, defaultPoolLimits, type Lease, type PoolLimits } from './pool.ts';
import { createProgramUpstream } from './program.ts';
import { createUpstream } from './upstream.ts';
import { isJson } from './wire/message.ts';

export { type LocalServer, parseMcpConfig, trustedHosts } from './local.ts';
export { type Json, type Limits, type RpcReply, UpstreamFailure } from './model.ts';

/** Who calls, and until when it matters. */
export type Caller = {
  readonly developerId: string;
  /** The user it acts for; nothing is shared between users. */
  readonly userId?: string;
  readonly keyId: string;
  readonly signal?: AbortSignal;
  readonly notice?: Notice;
  /** Header fields by which the caller itself mirrors tool arguments (2026-07-28); without, we mirror them. */
  readonly mirrored?: Readonly<Record<string, string>>;
};

export type McpCall = RpcRequest & {
  readonly serverId: string;
  readonly queryLogId?: string | null;
  /** Of an earlier `input` answer, with the caller's answers: the same request goes on. */
  readonly continuation?: string;
  readonly inputResponses?: InputResponses;
};

export type McpAnswer =
  | { readonly kind: 'reply'; readonly reply: RpcReply; readonly upstreamMs: number }
  | ({ readonly kind: 'input'; readonly upstreamMs: number } & InputNeeded);

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
  /** Looks at a server in the operator's name: is it alive, how does it speak, what does it offer. */
  inspect(serverId: string, signal?: AbortSignal): Promise<Finding>;
  /** Puts the operator's own servers into the catalogue, and what they list behind it. */
  adopt(): Promise<void>;
  stats(): { readonly upstreams: number };
  close(): Promise<void>;
};

export type McpDeps = {
  readonly catalog: Pick<Catalog, 'get' | 'put' | 'parse' | 'recordInvocation' | 'credential'>;
  readonly outbound: Outbound;
  readonly tickets: Vault['tickets'];
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
/** Methods that are the proxy's own business with the upstream, or have no single answer. */
const notOffered = /^(initialize|subscriptions\/listen|notifications\/.*)$/;
/** In whose name the operator's own servers are asked for their tools. */
const operator: Caller = { developerId: 'operator', keyId: 'operator' };
const adoptAtOnce = 4;

export function createMcp(deps: McpDeps): Mcp {
  const { catalog, clock, log } = deps;
  const limits: Limits = { ...defaultMcpLimits, ...deps.limits };
  const locals = new Map((deps.locals ?? []).map((server) => [server.id, server]));
  const mirrors = createMirrors();
  const outcomes = createOutcomes(catalog, log);
  const inputs = createInputs({ tickets: deps.tickets, askMs: limits.askMs });
  const once = createIdempotency<McpAnswer>({ now: clock.monotonic, mayRetry: ranNothing });
  const pool = createPool({
    make: (target) => makeChannel(deps, target, limits),
    limits: { ...defaultPoolLimits, ...deps.pool },
    now: clock.monotonic,
  });
  const sweeping = setInterval(pool.sweep, sweepMs).unref();

  const find = async (serverId: string, principal: string): Promise<readonly [ServerRecord, Target]> => {
    const record = await catalog.get(serverId);
    const local = record.source === 'config' ? locals.get(serverId) : undefined;
    const credential = local === undefined ? await catalog.credential(serverId) : null;
    return [record, targetOf(record, local, credential, principal)];
  };

  /** Sends, and mends one thing: arguments that a modern server wants mirrored in headers and we did not know of. */
  const send = async (
    lease: Lease,
    record: ServerRecord,
    request: RpcRequest,
    { signal, notice, mirrored }: Omit<Caller, 'developerId' | 'userId' | 'keyId'>,
  ): Promise<Step> => {
    if (request.method !== 'tools/call') return lease.channel.send(request, { signal, notice });
    const params = request.params ?? {};
    const options = (): SendOptions => ({
      signal,
      notice,
      mirrored: mirrored ?? mirrors.headers(record, params),
    });
    const step = await lease.channel.send(request, options());
    const mismatch = step.kind === 'reply' && 'error' in step.reply && step.reply.error.code === -32020;
    if (!mismatch || mirrored !== undefined) return step;
    mirrors.learn(record, await listAllTools(lease.channel, { signal }));
    return lease.channel.send(request, options());
  };

  const fresh = (target: Target, record: ServerRecord, request: RpcRequest, caller: Caller) => {
    const lease = pool.acquire(target);
    return { release: lease.release, step: () => send(lease, record, request, caller) };
  };

  const proceed = async (caller: Caller, call: McpCall): Promise<McpAnswer> => {
    const { serverId, method, params, continuation } = call;
    if (notOffered.test(method))
      return {
        kind: 'reply',
        reply: { error: { code: -32601, message: `${method} is not offered through this proxy` } },
        upstreamMs: 0,
      };
    const principal = principalOf(caller);
    const [record, target] = await find(serverId, principal);
    const subject: Subject = { serverId, method, params };
    const started = clock.monotonic();
    const resumed =
      continuation === undefined
        ? null
        : inputs.resume(principal, subject, continuation, call.inputResponses ?? {});
    const exchange =
      resumed?.kind === 'waiting'
        ? {
            release: resumed.release,
            step: () => resumed.ask.answer(call.inputResponses ?? {}, caller.signal),
          }
        : fresh(target, record, resumed?.request ?? { method, params }, caller);
    let parked = false;
    try {
      const step = await exchange.step();
      const upstreamMs = clock.monotonic() - started;
      if (step.kind === 'ask') {
        parked = true;
        return { kind: 'input', upstreamMs, ...inputs.park(principal, subject, step, exchange.release) };
      }
      const { reply } = step;
      if ('result' in reply && reply.result.resultType === 'input_required')
        return { kind: 'input', upstreamMs, ...inputs.seal(principal, subject, reply.result) };
      return { kind: 'reply', reply, upstreamMs };
    } finally {
      if (!parked) exchange.release();
    }
  };

  const call: Mcp['call'] = async (caller, request) => {
    if (request.method !== 'tools/call') return proceed(caller, request);
    const started = clock.monotonic();
    try {
      const answer = await proceed(caller, request);
      if (answer.kind === 'reply')
        outcomes.record(caller, request, answer.reply, clock.monotonic() - started);
      return answer;
    } catch (error) {
      outcomes.recordFailure(caller, request, error, clock.monotonic() - started);
      throw error;
    }
  };

  const listTools: Mcp['listTools'] = async (caller, serverId) => {
    const [, target] = await find(serverId, principalOf(caller));
    const started = clock.monotonic();
    const lease = pool.acquire(target);
    try {
      const tools = await listAllTools(lease.channel, { signal: caller.signal });
      return { tools, upstreamMs: clock.monotonic() - started };
    } finally {
      lease.release();
    }
  };

  const adoptTools = async (server: LocalServer) => {
    try {
      const { tools } = await listTools(operator, server.id);
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
    listTools,
    inspect(serverId, signal) {
      const open = async () => {
        const [, target] = await find(serverId, principalOf(operator));
        if (target.program === null) return makeChannel(deps, target, inspectLimits);
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
      const waiting = [...locals.values()];
      const work = async () => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await adoptTools(next);
      };
      await Promise.all(Array.from({ length: adoptAtOnce }, work));
    },
    stats: () => ({ upstreams: pool.size() }),
    async close() {
      clearInterval(sweeping);
      outcomes.flush();
      inputs.close();
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

const notHere =
  "The server runs on its user's own machine (stdio): start mcprank with it in --mcp-config to call it";

/** Whatever differs here is never shared: sessions, continuations, answers kept for a repeated call. */
function principalOf({ developerId, userId }: Caller): string {
  return userId === undefined ? developerId : JSON.stringify([developerId, userId]);
}

function unhurried({ signal: _, notice: __, ...caller }: Caller): Caller {
  return caller;
}

function targetOf(
  record: ServerRecord,
  local: LocalServer | undefined,
  credential: Credential | null,
  principal: string,
): Target {
  const url = local === undefined ? record.remoteUrl : local.url;
  if (url === null && local?.program == null) throw new UpstreamFailure('refused', notHere);
  if (url?.includes('{')) throw new UpstreamFailure('refused', "The server's URL has settings to fill in");
  return {
    serverId: record.id,
    principal,
    hint: local?.transport ?? record.transport,
    url,
    program: local?.program ?? null,
    headers: local?.headers ?? credential?.headers ?? {},
    credentialVersion: local?.credentialVersion ?? credential?.version ?? '',
  };
}

function parsed(catalog: Pick<Catalog, 'parse'>, row: Json) {
  const found = catalog.parse(row);
  if (!found.ok) throw new Problem('setup', `${String(row.id)}: ${found.reason}`);
  return found.input;
}

function ranNothing(error: unknown): boolean {
  return !(error instanceof UpstreamFailure) || ['refused', 'auth', 'rate_limited'].includes(error.reason);
}

/** The parts of a tools/call result that a REST caller gets. */
export function toolResult(reply: RpcReply): Json {
  const { content, isError, structuredContent, _meta } = resultOf(reply);
  return {
    content: Array.isArray(content) ? content : [],
    isError: isError === true,
    ...(structuredContent === undefined ? {} : { structuredContent }),
    ...(isJson(_meta) ? { _meta } : {}),
  };
}
