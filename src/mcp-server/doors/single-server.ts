import type { BoundedCache } from '../../base/bounded-cache.ts';
import type { JsonView } from '../../base/json-scanner.ts';
import { changeMembers, type JsonPart, joinJson } from '../../base/json-splice.ts';
import {
  type Caller,
  type Mcp,
  type Notification,
  noParams,
  principalOf,
  serverInfoIn,
} from '../../mcp/mcp.ts';
import { unsubscribing, type WantedResources } from '../streams/wanted-resources.ts';
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
    readonly wanted: WantedResources;
  },
  serverId: string,
): Backend {
  const { mcp, version, introductions, wanted } = deps;
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
    async request(caller, request) {
      const { method } = request;
      const at = { serverId, own: request.params.uri ?? '' };
      const ask = () => forward(mcp, caller, serverId, request);
      if (method === 'resources/unsubscribe') return wanted.unsubscribe(caller, at, ask);
      const outcome = await ask();
      if (method === 'resources/subscribe' && outcome.kind === 'result') wanted.add(caller, at);
      return outcome;
    },
    listen: (caller) => (onNotification, onAgain) => {
      const tell = (told: Notification) => {
        if (wanted.isFor(caller, serverId, told)) onNotification(told);
      };
      return mcp.listen(caller, serverId, tell, onAgain);
    },
    async letGo(caller) {
      for (const at of wanted.of(caller))
        await wanted.unsubscribe(caller, at, () => forward(mcp, caller, serverId, unsubscribing(at)));
    },
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
