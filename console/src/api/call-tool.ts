import type { Api } from '../../../sdk/api.ts';
import { type Answer, ApiError, type Input, request } from './client.ts';
import { readEvents } from './event-stream.ts';

const operation = 'POST /v1/mcp/tools/call';
export type ToolReply = Api[typeof operation]['reply'];
/** How far a call is, as its server tells: of `total` where that is known. */
export type Progress = { readonly progress?: number; readonly total?: number; readonly message?: string };
type Told = {
  readonly progress?: Progress;
  readonly result?: ToolReply;
  readonly problem?: { readonly status: number; readonly code: string; readonly detail: string };
};

/** Calls a tool for real; what its server tells on the way comes as it is told. */
export async function callTool(
  body: Input<typeof operation>['body'],
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: (progress: Progress) => void },
): Promise<Answer<ToolReply>> {
  const started = performance.now();
  const reply = await request(
    operation,
    { ...(body && { body }), signal },
    'application/json, text/event-stream',
  );
  const took = () => performance.now() - started;
  if (reply.headers.get('content-type')?.startsWith('text/event-stream') !== true)
    return { body: (await reply.json()) as ToolReply, ms: took() };
  const id = reply.headers.get('x-request-id') ?? '';
  for await (const event of readEvents(reply)) {
    const { progress, result, problem } = event as Told;
    if (progress !== undefined) onProgress(progress);
    if (result !== undefined) return { body: result, ms: took() };
    if (problem !== undefined) throw new ApiError(problem.status, problem.code, problem.detail, id);
  }
  throw new ApiError(0, 'unreachable', 'The answer broke off.', id);
}
