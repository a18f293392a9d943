import { type JsonView, scanJson } from '../../base/json-scanner.ts';
import { joinJson } from '../../base/json-splice.ts';
import { type CallResult, type RpcReply, type RpcRequest, UpstreamFailure } from '../mcp-model.ts';
import {
  discoverMethod,
  messageShape,
  modernRevision,
  sessionRevision,
  sessionRevisions,
  textsIn,
} from './rpc-message.ts';
import { clientCapabilities, clientInfo, ownParams } from './rpc-request.ts';

/** How either age of the protocol begins: `server/discover` (2026-07-28), or `initialize` and `notifications/initialized`. */

export const initializeMethod = 'initialize';
export const discoverRequest: RpcRequest = { method: discoverMethod };
export const initializedMessage = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

export function initializeFor(protocolVersion: string): RpcRequest {
  return {
    method: initializeMethod,
    params: ownParams({ protocolVersion, capabilities: clientCapabilities, clientInfo }),
  };
}

export function cancelled(id: number): Buffer {
  const params = { requestId: id, reason: 'the caller went away or the time is over' };
  return Buffer.from(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params }));
}

/** A handshake in the words of `server/discover`, so that callers can ask servers of every age the same. */
export function discoveredBy(introduction: JsonView): RpcReply {
  const member = (name: string, fallback: string) => introduction.present(name)?.span() ?? fallback;
  const instructions = introduction.present('instructions');
  const text = joinJson([
    '{"supportedVersions":[',
    member('protocolVersion', `"${sessionRevision}"`),
    '],"capabilities":',
    member('capabilities', '{}'),
    ',"serverInfo":',
    member('serverInfo', '{}'),
    ...(instructions === undefined ? [] : [',"instructions":', instructions.span()]),
    '}',
  ]);
  return { result: scanJson(text, messageShape.result) };
}

export const serverInfoKey = 'io.modelcontextprotocol/serverInfo';

/** What a server calls itself, where an answer says so: 2026-07-28 in `_meta`, the older ones in the handshake. */
export function serverInfoIn(result: JsonView | undefined): JsonView | undefined {
  return result?.present('serverInfo') ?? result?.present('_meta')?.present(serverInfoKey);
}

/** Some servers answer `server/discover` and speak only older revisions: the list decides. */
export function supportsModern(result: CallResult | null): boolean {
  if (result?.kind !== 'reply' || !('result' in result.reply)) return false;
  return textsIn(result.reply.result.present('supportedVersions')).includes(modernRevision);
}

/** The versions that a refusal names (−32022, and −32602 of servers with a handshake); null where it names none. */
export function supportedVersions(result: CallResult | null): readonly string[] | null {
  if (result?.kind !== 'reply' || !('error' in result.reply)) return null;
  const supported = result.reply.error.data?.present('supported');
  return supported === undefined ? null : textsIn(supported);
}

/** The newest revision with a handshake among these that we speak, too. */
export function newestCommon(versions: readonly string[] | null): string | undefined {
  return sessionRevisions.find((revision) => versions?.includes(revision));
}

/** The handshake, with a second offer where the first is refused and a common revision is named; what the server says of itself. Throws its refusal in its own words. */
export async function shakeHands(
  ask: (request: RpcRequest) => Promise<CallResult>,
  offered = sessionRevision,
): Promise<JsonView> {
  let hello = await ask(initializeFor(offered));
  const common = newestCommon(supportedVersions(hello));
  if (common !== undefined) hello = await ask(initializeFor(common));
  if (hello.kind === 'reply' && 'result' in hello.reply) return hello.reply.result;
  throw refusedHandshake(hello);
}

/** What a server says instead of shaking hands, in its own words: it wants credentials, or it cannot. */
export function refusedHandshake(hello: CallResult | null, status = 200): UpstreamFailure {
  const words = hello?.kind === 'reply' && 'error' in hello.reply ? hello.reply.error.message : '';
  const detail = `The server refused to initialize${words === '' ? '' : `: ${words.slice(0, 500)}`}`;
  const otherwise = status < 500 ? 'protocol' : 'broken';
  const reason = asksForCredentials(words) ? 'auth' : otherwise;
  return new UpstreamFailure(reason, detail, { cause: new HandshakeRefusal(hello) });
}

class HandshakeRefusal extends Error {
  readonly hello: CallResult | null;

  constructor(hello: CallResult | null) {
    super('refused to initialize');
    this.hello = hello;
  }
}

/** The answer by which a handshake was refused, where the failure is that. */
export function refusalIn(error: unknown): CallResult | null {
  const cause = error instanceof UpstreamFailure ? error.cause : undefined;
  return cause instanceof HandshakeRefusal ? cause.hello : null;
}

/** Many servers without OAuth say by an error's message only that a key is missing or wrong. */
export function asksForCredentials(words: string): boolean {
  return /\b(api[ _-]?(key|token)|access[ _-]?token|bearer|unauthori[sz]ed|unauthenticated|not authenticated|authentication|authori[sz]ation|credentials?|forbidden|not logged in|log ?in required)\b/i.test(
    words,
  );
}
