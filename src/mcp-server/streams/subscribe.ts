import { newId } from '../../base/id.ts';
import type { JsonView } from '../../base/json-scanner.ts';
import { noParams, rpcError, withParams } from '../../mcp/mcp.ts';
import type { AskedRequest, DoorRequest } from '../door-request.ts';
import type { Backend, McpCaller } from '../doors/backend.ts';
import { errorReply, type McpHttpReply } from './answer.ts';
import { type OpenSubscriptions, openSubscription, type Subscription } from './notification-streams.ts';
import { unusable } from './refusal-answers.ts';

const invalidParams = -32602;
/** Each is a request to its server. */
const maxUris = 100;

type ListChanges = { readonly listChanged?: unknown };
type Capabilities = {
  readonly tools?: ListChanges;
  readonly prompts?: ListChanges;
  readonly resources?: ListChanges & { readonly subscribe?: unknown };
};

/** `subscriptions/listen` of 2026-07-28: told is what was asked for and the server can tell, and nothing else. */
export async function subscribe(
  { backend, caller: asking }: DoorRequest,
  { id, params }: AskedRequest,
  open: OpenSubscriptions,
): Promise<McpHttpReply> {
  const caller: McpCaller = { ...asking, subscriber: newId('sess') };
  const filter = params?.present('notifications');
  if (filter?.kind !== 'object')
    return errorReply(200, id, rpcError(invalidParams, 'params.notifications: expected an object'));
  const uris = urisIn(filter);
  if (uris === null)
    return errorReply(
      200,
      id,
      rpcError(
        invalidParams,
        `params.notifications.resourceSubscriptions: expected an array of at most ${maxUris} texts`,
      ),
    );
  const { capabilities, serverInfo, canNotify } = await backend.introduce(caller);
  const listen = canNotify ? backend.listen?.(caller) : undefined;
  const honored =
    listen === undefined ? {} : honoredIn(filter, uris, JSON.parse(String(capabilities)) as Capabilities);
  const tooMany = () =>
    errorReply(200, id, rpcError(unusable, 'Too many streams are open: end one of them first'));
  // First of all: who cannot be told is subscribed to nothing.
  if (Object.keys(honored).length > 0 && !open.hasRoomFor(caller.developerId)) return tooMany();
  const subscribed = honored.resourceSubscriptions ?? [];
  if (subscribed.length > 0) await caller.charge?.(subscribed.length);
  const subscribeTo = async (by: McpCaller) => {
    for (const uri of subscribed)
      await backend.request(by, { method: 'resources/subscribe', params: withParams(noParams, { uri }) });
  };
  await subscribeTo(caller);
  const { signal: _, ...lasting } = caller;
  const again = () =>
    void (subscribed.length > 0 ? subscribeTo(lasting) : backend.introduce(lasting)).catch(() => undefined);
  const end = () => letGo(backend, caller);
  try {
    const stream = await openSubscription(id, honored, {
      listen: async (tell) => {
        const stop = await listen?.(tell, again);
        return () => {
          stop?.();
          end();
        };
      },
      serverInfo: String(serverInfo),
      signal: caller.signal,
      developerId: caller.developerId,
      open,
    });
    if (stream === null) end();
    return stream ?? tooMany();
  } catch (error) {
    end();
    throw error;
  }
}

/** What it subscribed to is over; nobody waits for that. */
export function letGo(backend: Backend, { signal: _, ...caller }: McpCaller): void {
  backend.letGo?.(caller).catch(() => undefined);
}

/** null: it is not as it has to be. */
function urisIn(filter: JsonView): readonly string[] | null {
  const { resourceSubscriptions: uris = [] } = filter.value() as { resourceSubscriptions?: unknown };
  const isText = (uri: unknown): uri is string => typeof uri === 'string';
  return Array.isArray(uris) && uris.length <= maxUris && uris.every(isText) ? uris : null;
}

function honoredIn(
  filter: JsonView,
  uris: readonly string[],
  { tools, prompts, resources }: Capabilities,
): Subscription {
  const asked = filter.value() as Readonly<Record<string, unknown>>;
  const wants = uris.length > 0 && resources?.subscribe === true;
  return {
    ...(asked.toolsListChanged === true && tools?.listChanged === true && { toolsListChanged: true }),
    ...(asked.promptsListChanged === true && prompts?.listChanged === true && { promptsListChanged: true }),
    ...(asked.resourcesListChanged === true &&
      resources?.listChanged === true && { resourcesListChanged: true }),
    ...(wants && { resourceSubscriptions: uris }),
  };
}
