import { JsonText } from '../base/json-text.ts';
import { Problem } from '../base/problem.ts';
import type { ProbeResult } from '../catalog/catalog.ts';
import { type Channel, UpstreamFailure, type UpstreamReason } from './mcp-model.ts';
import { asksForCredentials } from './messages/handshake.ts';
import { type ListedTool, listAllTools, RpcFailure } from './messages/tool-list.ts';
import type { ProtocolMode } from './negotiation/negotiation.ts';

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

/** Connects, lists the tools, and says what that showed; whatever the server does is a finding, never an error. */
export async function probeServer(
  open: () => Promise<Probed>,
  now: () => number,
  signal: AbortSignal | undefined,
): Promise<ProbeResult> {
  const started = now();
  let channel: Probed | undefined;
  try {
    channel = await open();
    const tools = await listAllTools(channel, { signal });
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
