import type { Caller, Json, Mcp, SessionReply, SessionRequest } from '../mcp/mcp.ts';
import type { ByteSource } from '../outbound/outbound.ts';

/** A client's request in a session of its own with the server behind us, or the one that begins it. */
export type SessionCall = {
  readonly request: Request;
  readonly body: unknown;
  readonly caller: Caller;
  readonly serverId: string;
};

const idHeader = 'mcp-session-id';
/** The SDK's code for a session that is not there (any more). */
const sessionNotFound = -32001;
/** So often something is sent on a silent stream: proxies keep it, and a client that is gone is found out. */
const beatMs = 15_000;
const beat = Buffer.from(': \n\n');
const queuedBytes = 65_536;

/** null: the request belongs to no session, and the server behind us begins none. */
export async function serveInSession(mcp: Pick<Mcp, 'relay'>, call: SessionCall): Promise<Response | null> {
  const asked = askedIn(call);
  if (asked === null) return null;
  const reply = await mcp.relay(call.caller, asked);
  if (reply !== null) return responseOf(reply, asked.method);
  if (asked.session === null) return null;
  const error = { code: sessionNotFound, message: 'Session not found' };
  return Response.json({ jsonrpc: '2.0', id: null, error }, { status: 404 });
}

function askedIn({ request: { method, headers }, body, serverId }: SessionCall): SessionRequest | null {
  const session = headers.get(idHeader);
  const isHello = method === 'POST' && (body as Json).method === 'initialize';
  if (session === null && !isHello) return null;
  const about = {
    serverId,
    session: isHello ? null : session,
    accept: headers.get('accept') ?? '*/*',
    revision: headers.get('mcp-protocol-version'),
  };
  if (method === 'GET') return { ...about, method, lastEventId: headers.get('last-event-id') };
  if (method === 'DELETE') return { ...about, method };
  return { ...about, method: 'POST', message: body as Json };
}

function responseOf({ status, session, body }: SessionReply, method: string): Response {
  const given = session === undefined ? {} : { [idHeader]: session };
  if (body === null) return new Response(null, { status, headers: given });
  if (typeof body === 'string')
    return new Response(body, { status, headers: { 'content-type': 'application/json', ...given } });
  const headers = {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    // Nothing comes after a stream that stays open; a stop would wait for what might.
    ...(method === 'GET' ? { connection: 'close' } : {}),
    ...given,
  };
  return new Response(streamOf(body), { status, headers });
}

/** As fast as the client reads. One that takes nothing from one beat to the next is cut off (threats C4). */
function streamOf(source: ByteSource): ReadableStream<Uint8Array> {
  let beating: NodeJS.Timeout | undefined;
  let wasFull = false;
  const stop = () => clearInterval(beating);
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const isFull = () => (controller.desiredSize ?? 0) <= 0;
        beating = setInterval(() => {
          if (!isFull()) controller.enqueue(beat);
          else if (wasFull) source.cancel();
          wasFull = isFull();
        }, beatMs);
        // The head goes out with the first byte, and the server's may be far away.
        controller.enqueue(beat);
        source.flow({
          data(chunk) {
            controller.enqueue(chunk);
            return !isFull();
          },
          end(failure) {
            stop();
            if (failure === null) controller.close();
            else controller.error(failure);
          },
        });
      },
      pull() {
        wasFull = false;
        source.resume();
      },
      cancel() {
        stop();
        source.cancel();
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: queuedBytes }),
  );
}
