import { sha256Hex } from '../../base/id.ts';
import type { OpenReply, Outbound, OutboundCall, OutboundRequest } from '../../outbound/outbound.ts';
import type { Vault } from '../../vault/vault.ts';
import type { Caller, Limits, Target } from '../mcp-model.ts';
import { type FoundTarget, principalOf } from '../targets.ts';
import { refuseEncoding, sameOriginRedirect, toFailure, unauthorized } from '../transports/reply-checks.ts';

/** One client's session from our side: what its requests need to reach the server. */
export type SessionContext = {
  readonly url: string;
  readonly credential: Target['credential'];
  readonly headers: Readonly<Record<string, string>>;
  /** The server's own id of the session; null before it gave one. */
  readonly id: string | null;
  /** What the ids that the client gets are sealed for. */
  readonly binding: string;
};

export type SendRequest = Omit<OutboundRequest, 'url' | 'headers'> & {
  readonly headers?: Readonly<Record<string, string>>;
};
export type OnStart = (call: OutboundCall) => void;

/** Requests in a session, up to the reply's head. A refusal of our credentials is thrown, so that they can be mended. */
export function createSender(outbound: Outbound, limits: Limits) {
  const send = async (
    context: SessionContext,
    request: SendRequest,
    started?: OnStart,
  ): Promise<OpenReply> => {
    const { credential } = context;
    let { url } = context;
    const once = () => {
      const headers = { ...context.headers, ...request.headers, ...credential.fields(request.method, url) };
      const carried = { carriesTrace: true, firstByteMs: limits.firstByteMs, idleMs: 0 } as const;
      const whole = { ...carried, ...request, url, headers };
      return outbound.open(whole, started).catch((error: unknown) => {
        throw toFailure(error);
      });
    };
    let reply = await once();
    const target = sameOriginRedirect(reply.status, reply.headers, { url, method: request.method });
    if (target !== null) {
      url = target;
      reply.body.cancel();
      reply = await once();
    }
    if (credential.onResponse(reply.status, reply.headers)) {
      reply.body.cancel();
      reply = await once();
    }
    try {
      if (reply.status === 401 || reply.status === 403) throw unauthorized(reply.status, reply.headers);
      refuseEncoding(reply.headers);
      return reply;
    } catch (error) {
      reply.body.cancel();
      throw error;
    }
  };
  return {
    send,
    post: (
      context: SessionContext,
      message: Buffer,
      signal?: AbortSignal,
      started?: OnStart,
    ): Promise<OpenReply> =>
      send(
        context,
        {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: message,
          // The server may be asking the user meanwhile, and not only on this stream.
          timeoutMs: limits.questionMs,
          maxBytes: limits.maxBytes,
          ...(signal === undefined ? {} : { signal }),
        },
        started,
      ),
  };
}

/** What a session's id and a revision are made of. */
export const visibleText = /^[\x21-\x7e]{1,2000}$/;

type Asked = {
  readonly session: string | null;
  readonly accept: string;
  readonly revision: string | null;
};

/** null: the session is not this caller's, or there can be none with a server of this kind. */
export function contextOf(
  tickets: Pick<Vault['sealedTokens'], 'open'>,
  found: FoundTarget,
  { caller, request }: { readonly caller: Caller; readonly request: Asked },
): SessionContext | null {
  const { url, hint, credential } = found.target;
  const { session, accept, revision } = request;
  if (url === null || hint === 'sse') return null;
  const binding = bindingOf(caller, found, url);
  const id = session === null ? null : tickets.open(session, binding);
  if (session !== null && id === null) return null;
  const named = revision === null || !visibleText.test(revision) ? {} : { 'mcp-protocol-version': revision };
  const headers = { accept, ...named, ...(id === null ? {} : { 'mcp-session-id': id }) };
  return { url, credential, headers, id, binding };
}

/** Whoever differs in any of these has another session. */
function bindingOf(caller: Caller, found: FoundTarget, url: string): string {
  const { target, own, machineToken, assertedVersion } = found;
  // Tokens are renewed within a session.
  const vouched = assertedVersion === undefined ? undefined : 'asserted';
  const account = own?.connectionId ?? machineToken?.login ?? vouched ?? target.credentialVersion;
  const client = caller.client ?? null;
  const parts = [caller.keyId, client, principalOf(caller), target.serverId, url, account];
  return `mcp session ${sha256Hex(JSON.stringify(parts))}`;
}

/** The session by a name that no other has: servers give the same ids as others do. Its events are sealed for this. */
export function sessionName({ binding, id }: SessionContext): string {
  return `mcp event ${sha256Hex(`${binding}\n${id}`)}`;
}
