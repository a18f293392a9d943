import type { JsonView } from '../../base/json-scanner.ts';
import { noParams, rpcError, withParams } from '../../mcp/mcp.ts';
import type { AskedRequest, DoorRequest } from '../door-request.ts';
import { errorReply, type McpHttpReply } from './answer.ts';
import { openSubscription, type Subscription } from './notification-streams.ts';

const invalidParams = -32602;

type ListChanges = { readonly listChanged?: unknown };
type Capabilities = {
  readonly tools?: ListChanges;
  readonly prompts?: ListChanges;
  readonly resources?: ListChanges & { readonly subscribe?: unknown };
};

/** `subscriptions/listen` of 2026-07-28: told is what was asked for and the server can tell, and nothing else. */
export async function subscribe(
  { backend, caller }: DoorRequest,
  { id, params }: AskedRequest,
  open: Set<() => void>,
): Promise<McpHttpReply> {
  const filter = params?.present('notifications');
  if (filter?.kind !== 'object')
    return errorReply(200, id, rpcError(invalidParams, 'params.notifications: expected an object'));
  const { capabilities, serverInfo, canNotify } = await backend.introduce(caller);
  const listen = canNotify ? backend.listen?.(caller) : undefined;
  const honored =
    listen === undefined ? {} : honoredIn(filter, JSON.parse(String(capabilities)) as Capabilities);
  for (const uri of honored.resourceSubscriptions ?? [])
    await backend.request(caller, { method: 'resources/subscribe', params: withParams(noParams, { uri }) });
  return openSubscription(id, honored, {
    listen: listen ?? (async () => () => undefined),
    serverInfo: String(serverInfo),
    signal: caller.signal,
    open,
  });
}

function honoredIn(filter: JsonView, { tools, prompts, resources }: Capabilities): Subscription {
  const asked = filter.value() as Readonly<Record<string, unknown>>;
  const uris = asked.resourceSubscriptions;
  const wants = Array.isArray(uris) && uris.length > 0 && resources?.subscribe === true;
  return {
    ...(asked.toolsListChanged === true && tools?.listChanged === true && { toolsListChanged: true }),
    ...(asked.promptsListChanged === true && prompts?.listChanged === true && { promptsListChanged: true }),
    ...(asked.resourcesListChanged === true &&
      resources?.listChanged === true && { resourcesListChanged: true }),
    ...(wants && { resourceSubscriptions: uris.map(String) }),
  };
}
