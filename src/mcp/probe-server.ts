import { JsonText } from '../base/json-text.ts';
import { Problem } from '../base/problem.ts';
import type { ProbeResult } from '../catalog/catalog.ts';
import {
  type Channel,
  fixedCredential,
  type Target,
  UpstreamFailure,
  type UpstreamReason,
} from './mcp-model.ts';
import { asksForCredentials, discoverRequest, serverInfoIn } from './messages/handshake.ts';
import { type ListedTool, listAllTools, RpcFailure, resultIn } from './messages/tool-list.ts';
import type { ProtocolMode } from './negotiation/negotiation.ts';
import { operatorId } from './targets.ts';

/** A channel that can say how its server speaks. */
type Probed = Channel & { readonly protocolMode?: () => ProtocolMode | null };

/** As the catalogue and the API name them. */
const eras: Readonly<Record<ProtocolMode, string>> = {
  stateless: 'modern',
  session: 'session',
  'http+sse': 'sse',
};

const stateOf: Readonly<Record<UpstreamReason, ProbeResult['state']>> = {
  auth: 'auth',
  // It is alive and busy: nothing says it is broken.
  rate_limited: 'up',
  protocol: 'not_mcp',
  too_large: 'not_mcp',
  refused: 'down',
  timeout: 'down',
  broken: 'down',
  cancelled: 'down',
};

type ProbeOptions = {
  readonly signal?: AbortSignal | undefined;
  /** Asked of a server that listed its tools, before the channel is closed. */
  readonly onAlive?: (channel: Channel) => Promise<void>;
};

/** Connects, lists the tools, and says what that showed; whatever the server does is a finding, never an error. */
export async function probeServer(
  open: () => Promise<Probed>,
  now: () => number,
  { signal, onAlive }: ProbeOptions = {},
): Promise<ProbeResult> {
  const started = now();
  let channel: Probed | undefined;
  try {
    channel = await open();
    const tools = await listAllTools(channel, { signal });
    await onAlive?.(channel);
    return found('up', { tools: tools.map(toRow), era: eraOf(channel), latencyMs: now() - started });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const reason = error.detail;
    if (!(error instanceof UpstreamFailure)) return found('down', { reason });
    const state = asksForKey(error) ? 'auth' : stateOf[error.reason];
    return found(state, {
      reason,
      era: eraOf(channel),
      latencyMs: state === 'down' ? null : now() - started,
      auth: state === 'auth' ? authOf(error.challenge) : null,
      unreached: error.reason === 'refused',
    });
  } finally {
    channel?.close();
  }
}

/** Where a server may be that is in no catalogue yet. */
export type Address = {
  readonly url: string;
  readonly transport: 'streamable-http' | 'sse';
  readonly headers: Readonly<Record<string, string>>;
  /** The one to speak; null or absent: whichever it knows. */
  readonly revision?: string | null;
};
/** What the server says of itself; `icon` is a `data:` URI of a picture, or null. */
type Introduction = { readonly name: string | null; readonly icon: string | null };
export type AddressFound = ProbeResult & Introduction;

export async function probeAddress(
  open: (target: Target) => Probed,
  { url, transport, headers, revision = null }: Address,
  { now, signal }: { readonly now: () => number; readonly signal: AbortSignal | undefined },
): Promise<AddressFound> {
  const target: Target = {
    key: url,
    serverId: url,
    principal: operatorId,
    developerId: operatorId,
    revision,
    hint: transport,
    url,
    program: null,
    credential: fixedCredential(headers),
    credentialVersion: '',
  };
  let said: Introduction = { name: null, icon: null };
  const onAlive = async (channel: Channel) => {
    said = await introductionOf(channel, signal);
  };
  const result = await probeServer(async () => open(target), now, { signal, onAlive });
  return { ...result, ...said };
}

/** Nothing where it does not say: a name is not worth a failed probe. */
async function introductionOf(channel: Channel, signal: AbortSignal | undefined): Promise<Introduction> {
  try {
    const answer = await channel.send(discoverRequest, { signal });
    const info = answer.kind === 'reply' ? serverInfoIn(resultIn(answer.reply))?.value() : undefined;
    const { title, name, icons } = (info ?? {}) as { title?: unknown; name?: unknown; icons?: unknown };
    const said = [title, name].find((each) => typeof each === 'string' && each !== '');
    return { name: typeof said === 'string' ? said.slice(0, 200) : null, icon: iconIn(icons) };
  } catch {
    return { name: null, icon: null };
  }
}

/** What a browser shows and never runs, and what comes with the reply: who looks at a server tells no third party. */
const pictures = /^data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}$/;
const maxIconLength = 65_536;

function iconIn(icons: unknown): string | null {
  const sources = (Array.isArray(icons) ? icons.slice(0, 20) : []).map(
    (icon) => (icon as { src?: unknown })?.src,
  );
  const fits = (src: unknown): src is string =>
    typeof src === 'string' && src.length <= maxIconLength && pictures.test(src);
  return sources.find(fits) ?? null;
}

/** A server that speaks MCP and wants a key for its tools, and says so in an error of its own. */
function asksForKey(error: UpstreamFailure): boolean {
  return error instanceof RpcFailure && asksForCredentials(error.detail);
}

function found(state: ProbeResult['state'], known: Partial<ProbeResult>): ProbeResult {
  return {
    state,
    era: null,
    auth: null,
    latencyMs: null,
    tools: null,
    reason: null,
    unreached: false,
    ...known,
  };
}

/** RFC 9728 section 5.1: a challenge that names resource metadata offers OAuth. */
function authOf(challenge: string | undefined): ProbeResult['auth'] {
  if (challenge === undefined) return null;
  if (/resource_metadata\s*=/i.test(challenge)) return 'oauth2';
  return /^\s*bearer\b/i.test(challenge) ? 'bearer' : null;
}

function eraOf(channel: Probed | undefined): string | null {
  const mode = channel?.protocolMode?.() ?? null;
  return mode === null ? null : eras[mode];
}

/** A tool as the catalogue reads it: a value, but for the schemas, which keep their text. */
export function toRow({ view, inputSchema }: ListedTool): Readonly<Record<string, unknown>> {
  const outputSchema = view.present('outputSchema');
  return {
    ...(view.value() as Record<string, unknown>),
    ...(inputSchema && { inputSchema: new JsonText(inputSchema.text()) }),
    ...(outputSchema && { outputSchema: new JsonText(outputSchema.text()) }),
  };
}
