import type { JsonView } from '../base/json-scanner.ts';
import type { ServerRequest } from '../mcp/mcp.ts';

/** What a client has to declare before it may be asked something (2026-07-28, "Client capabilities"; 2025-11-25 alike). */
export type ClientCapabilities = {
  readonly elicitation?: { readonly form?: unknown; readonly url?: unknown };
  readonly sampling?: { readonly tools?: unknown };
  readonly roots?: unknown;
};

export function capabilitiesIn(view: JsonView | undefined): ClientCapabilities {
  return view?.kind === 'object' ? (view.value() as ClientCapabilities) : {};
}

/** What is missing for these questions, in the shape of capabilities; null when nothing is. */
export function missingFor(
  requests: readonly ServerRequest[],
  declared: ClientCapabilities,
): Readonly<Record<string, unknown>> | null {
  const missing = Object.assign({}, ...requests.map((request) => missingForOne(request, declared)));
  return Object.keys(missing).length === 0 ? null : missing;
}

function missingForOne({ method, params }: ServerRequest, declared: ClientCapabilities): object {
  const { elicitation, sampling, roots } = declared;
  if (method === 'roots/list') return roots === undefined ? { roots: {} } : {};
  if (method === 'sampling/createMessage') return sampling === undefined ? { sampling: {} } : {};
  if (method !== 'elicitation/create') return {};
  const mode = params?.get('url') === undefined ? 'form' : 'url';
  // A bare declaration means forms: it is older than the modes.
  const isBare = elicitation !== undefined && elicitation.form === undefined && elicitation.url === undefined;
  const isThere = elicitation?.[mode] !== undefined || (mode === 'form' && isBare);
  return isThere ? {} : { elicitation: { [mode]: {} } };
}
