import { Problem } from '../base/problem.ts';
import type { Finding } from '../catalog/catalog.ts';
import { type Channel, type Json, UpstreamFailure, type UpstreamReason } from './mcp-model.ts';
import { listAllTools } from './messages/tool-list.ts';

/** A channel that can say which era it settled on. */
type Inspected = Channel & { readonly era?: () => string | null };

const stateOf: Readonly<Record<UpstreamReason, Finding['state']>> = {
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
export async function inspect(
  open: () => Promise<Inspected>,
  now: () => number,
  signal: AbortSignal | undefined,
): Promise<Finding> {
  const started = now();
  let channel: Inspected | undefined;
  try {
    channel = await open();
    const tools = await listAllTools(channel, { signal });
    return found('up', { tools, era: channel.era?.() ?? null, latencyMs: now() - started });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const reason = error.detail;
    if (!(error instanceof UpstreamFailure)) return found('down', { reason });
    const state = stateOf[error.reason];
    return found(state, {
      reason,
      era: channel?.era?.() ?? null,
      latencyMs: state === 'down' ? null : now() - started,
      auth: state === 'auth' ? authOf(error.challenge) : null,
      unreached: error.reason === 'refused',
    });
  } finally {
    channel?.close();
  }
}

function found(
  state: Finding['state'],
  known: Partial<Finding> & { readonly tools?: readonly Json[] },
): Finding {
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
function authOf(challenge: string | undefined): Finding['auth'] {
  if (challenge === undefined) return null;
  if (/resource_metadata\s*=/i.test(challenge)) return 'oauth2';
  return /^\s*bearer\b/i.test(challenge) ? 'bearer' : null;
}
