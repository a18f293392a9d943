import type { JsonView } from '../../base/json-scanner.ts';
import { scanJson } from '../../base/json-scanner.ts';
import { changeMembers, type JsonParts, joinJson } from '../../base/json-splice.ts';
import { messageShape, type Notification, withoutReservedMeta } from '../../mcp/mcp.ts';
import { subscriptionKey } from '../client-request.ts';
import { type McpHttpReply, resultMessage } from './answer.ts';
import { EventStream, streamHeaders, streamType } from './event-stream.ts';

/** What a server tells beside all calls, until it is unsubscribed. `onAgain`: what was subscribed to has to be so again. */
export type Listen = (
  onNotification: (told: Notification) => void,
  onAgain?: () => void,
) => Promise<() => void>;

/** After a stream closed, what is told is kept so long for a client that comes back (2025-11-25, "Resumability"). */
const resumeMs = 60_000;
const maxKept = 256;
const maxStreams = 1_000;
/** Of one developer. */
const maxEach = 250;

/** Whether there is room for one more stream; `open`: whose those are that are open. */
function isRoomFor(developerId: string, open: readonly string[]): boolean {
  return open.length < maxStreams && open.filter((each) => each === developerId).length < maxEach;
}

type Stream = {
  readonly developerId: string;
  readonly groups: string;
  readonly kept: { readonly eventId: number; readonly message: JsonParts }[];
  lastId: number;
  open: EventStream | undefined;
  unsubscribe: () => void;
  closing: NodeJS.Timeout | undefined;
};

type Whose = { readonly developerId: string; readonly groups?: readonly string[] | undefined };

/** The GET streams of clients' own sessions. */
export class NotificationStreams {
  readonly #streams = new Map<string, Stream>();

  /** A stream from now on, or from the event that the client names; null: there are too many, here or of this developer. */
  async open(
    { sessionId, developerId, groups: inGroups = [] }: Whose & { readonly sessionId: string },
    lastEventId: string | undefined,
    listen: Listen,
  ): Promise<McpHttpReply | null> {
    const groups = JSON.stringify(inGroups);
    // What is told goes by the groups of whoever asked for it.
    if (this.#streams.get(sessionId)?.groups !== groups) this.#drop(sessionId);
    const known = this.#streams.get(sessionId);
    const open = [...this.#streams.values()].map((stream) => stream.developerId);
    if (known === undefined && !isRoomFor(developerId, open)) return null;
    const stream = known ?? (await this.#subscribe(sessionId, { developerId, groups }, listen));
    stream.open?.end();
    clearTimeout(stream.closing);
    const events = new EventStream(() => this.#left(sessionId, events));
    stream.open = events;
    events.open();
    const from = lastEventId === undefined ? stream.lastId : Number(lastEventId);
    for (const { eventId, message } of stream.kept) if (eventId > from) events.send(message, String(eventId));
    return {
      status: 200,
      contentType: streamType,
      // Nothing comes after a stream that stays open; a stop would wait for what might.
      headers: { ...streamHeaders, connection: 'close' },
      body: events.body,
    };
  }

  close(): void {
    for (const sessionId of [...this.#streams.keys()]) this.#drop(sessionId);
  }

  async #subscribe(
    sessionId: string,
    whose: Pick<Stream, 'developerId' | 'groups'>,
    listen: Listen,
  ): Promise<Stream> {
    const stream: Stream = {
      ...whose,
      kept: [],
      lastId: 0,
      open: undefined,
      unsubscribe: () => {},
      closing: undefined,
    };
    this.#streams.set(sessionId, stream);
    try {
      stream.unsubscribe = await listen((told) => {
        const message = notificationMessage(told);
        const eventId = ++stream.lastId;
        stream.kept.push({ eventId, message });
        if (stream.kept.length > maxKept) stream.kept.shift();
        stream.open?.send(message, String(eventId));
      });
    } catch (error) {
      if (this.#streams.get(sessionId) === stream) this.#streams.delete(sessionId);
      throw error;
    }
    // It was dropped while it began.
    if (this.#streams.get(sessionId) !== stream) stream.unsubscribe();
    return stream;
  }

  #left(sessionId: string, events: EventStream): void {
    const stream = this.#streams.get(sessionId);
    if (stream?.open !== events) return;
    stream.open = undefined;
    stream.closing = setTimeout(() => this.#drop(sessionId), resumeMs).unref();
  }

  #drop(sessionId: string): void {
    const stream = this.#streams.get(sessionId);
    this.#streams.delete(sessionId);
    clearTimeout(stream?.closing);
    stream?.unsubscribe();
    stream?.open?.end();
  }
}

/** A notification as it goes to a client: without what the server says to us in `_meta`. */
export function notificationMessage({ method, params }: Notification): JsonParts {
  const head = `{"jsonrpc":"2.0","method":${JSON.stringify(method)}`;
  return params === undefined ? [`${head}}`] : [`${head},"params":`, ...cleanParams(params), '}'];
}

function cleanParams(params: JsonParts): JsonParts {
  const view = scanJson(joinJson(params), messageShape.params);
  return view.get('_meta') === undefined ? params : withoutReservedMeta(view);
}

/** What a client of 2026-07-28 asked to be told ("Subscriptions"), and what it is told of that. */
export type Subscription = {
  readonly toolsListChanged?: true;
  readonly promptsListChanged?: true;
  readonly resourcesListChanged?: true;
  readonly resourceSubscriptions?: readonly string[];
};

const changes: Readonly<Record<string, keyof Subscription>> = {
  'notifications/tools/list_changed': 'toolsListChanged',
  'notifications/prompts/list_changed': 'promptsListChanged',
  'notifications/resources/list_changed': 'resourcesListChanged',
};

/** The streams of clients of 2026-07-28 that are open: how to end each, and whose it is. */
export class OpenSubscriptions {
  readonly #open = new Map<() => void, string>();

  hasRoomFor(developerId: string): boolean {
    return isRoomFor(developerId, [...this.#open.values()]);
  }

  /** False where there are too many, here or of this developer. */
  add(finish: () => void, developerId: string): boolean {
    if (!this.hasRoomFor(developerId)) return false;
    this.#open.set(finish, developerId);
    return true;
  }

  delete(finish: () => void): void {
    this.#open.delete(finish);
  }

  close(): void {
    for (const finish of [...this.#open.keys()]) finish();
  }
}

/** The stream of one `subscriptions/listen`: acknowledged first, then what was asked for; at once over where nothing of it can be told; null: there are too many. */
export async function openSubscription(
  id: JsonView,
  honored: Subscription,
  {
    listen,
    serverInfo,
    signal,
    developerId,
    open,
  }: {
    listen: Listen;
    serverInfo: string;
    signal: AbortSignal | undefined;
    developerId: string;
    open: OpenSubscriptions;
  },
): Promise<McpHttpReply | null> {
  let unsubscribe = () => {};
  const events = new EventStream(() => {
    open.delete(finish);
    unsubscribe();
  });
  const meta = `{${JSON.stringify(subscriptionKey)}:${id.text()}}`;
  events.send([
    '{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":',
    `{"notifications":${JSON.stringify(honored)},"_meta":${meta}}}`,
  ]);
  const finish = () => {
    const own = `"_meta":{${JSON.stringify(subscriptionKey)}:${id.text()},"io.modelcontextprotocol/serverInfo":${serverInfo}}`;
    events.send(resultMessage(id, [`{"resultType":"complete",${own}}`]));
    events.end();
  };
  if (Object.keys(honored).length === 0) finish();
  else {
    if (!open.add(finish, developerId)) {
      events.body.destroy();
      return null;
    }
    const tell = (told: Notification) => {
      const params =
        told.params === undefined ? undefined : scanJson(joinJson(told.params), messageShape.params);
      if (!isAskedFor(told.method, params, honored)) return;
      events.send([
        `{"jsonrpc":"2.0","method":${JSON.stringify(told.method)},"params":`,
        ...changeMembers(params, { _meta: [meta] }),
        '}',
      ]);
    };
    unsubscribe = await listen(tell).catch((error: unknown) => {
      events.body.destroy();
      throw error;
    });
    if (events.body.destroyed) unsubscribe();
    signal?.addEventListener('abort', () => unsubscribe());
  }
  return {
    status: 200,
    contentType: streamType,
    headers: { ...streamHeaders, connection: 'close' },
    body: events.body,
  };
}

function isAskedFor(method: string, params: JsonView | undefined, honored: Subscription): boolean {
  if (method === 'notifications/resources/updated')
    return honored.resourceSubscriptions?.includes(params?.get('uri')?.string() ?? '') === true;
  const field = Object.hasOwn(changes, method) ? changes[method] : undefined;
  return field !== undefined && honored[field] !== undefined;
}
