import type { BoundedCache } from '../../base/bounded-cache.ts';
import type { JsonView } from '../../base/json-scanner.ts';
import { changeMembers, type JsonPart, joinJson } from '../../base/json-splice.ts';
import { type Caller, type Mcp, noParams, principalOf, serverInfoIn } from '../../mcp/mcp.ts';
import type { Backend, BackendRequest, Introduction, McpCaller, Outcome } from './backend.ts';

/**
 * One server of the catalogue as if it were called without us: every method goes through, what the server says of itself is
 * said, its errors are its own, and what it tells on the way is told.
 */
export function createSingleServer(
  deps: {
    readonly mcp: Pick<Mcp, 'call' | 'listen'>;
    readonly version: string;
    readonly introductions: BoundedCache<Introduction>;
  },
  serverId: string,
): Backend {
  const { mcp, version, introductions } = deps;
  const introduceAnew = async (caller: McpCaller) => {
    const found = await introduce(mcp, caller, { serverId, version });
    introductions.set(keyOf(caller, serverId), found);
    return found;
  };
  return {
    door: serverId,
    introduce: introduceAnew,
    serverInfo: async (caller) =>
      (introductions.get(keyOf(caller, serverId)) ?? (await introduceAnew(caller))).serverInfo,
    request: (caller, request) => forward(mcp, caller, serverId, request),
    listen: (caller) => (onNotification, onAgain) => mcp.listen(caller, serverId, onNotification, onAgain),
  };
}

function keyOf(caller: Caller, serverId: string): string {
  return JSON.stringify([serverId, principalOf(caller)]);
}

async function introduce(
  mcp: Pick<Mcp, 'call'>,
  caller: Caller,
  { serverId, version }: { readonly serverId: string; readonly version: string },
): Promise<Introduction> {
  const answer = await mcp.call(caller, { serverId, method: 'server/discover', params: noParams });
  const result = answer.kind === 'reply' && 'result' in answer.reply ? answer.reply.result : undefined;
  const info = serverInfoIn(result);
  const capabilities = result?.present('capabilities');
  const own = JSON.stringify({ name: serverId, version });
  return {
    serverInfo: info?.kind === 'object' ? completeInfo(info, serverId, version) : own,
    capabilities: capabilities?.span() ?? '{}',
    instructions: result?.present('instructions')?.span(),
    canNotify: true,
  };
}

function completeInfo(info: JsonView, name: string, version: string): JsonPart {
  const { name: its, version: own } = info.value() as { name?: unknown; version?: unknown };
  const missing = {
    ...(typeof its === 'string' ? {} : { name: [JSON.stringify(name)] }),
    ...(typeof own === 'string' ? {} : { version: [JSON.stringify(version)] }),
  };
  return Object.keys(missing).length === 0 ? info.span() : joinJson(changeMembers(info, missing));
}

async function forward(
  mcp: Pick<Mcp, 'call'>,
  caller: McpCaller,
  serverId: string,
  request: BackendRequest,
): Promise<Outcome> {
  const answer = await mcp.call(caller, { serverId, ...request });
  if (answer.kind === 'input') return { kind: 'input', needed: answer };
  const { reply } = answer;
  if ('result' in reply) return { kind: 'result', body: { view: reply.result } };
  return { kind: 'error', error: reply.error };
}
