import { scanJson } from '../../base/json-scanner.ts';
import { joinJson } from '../../base/json-splice.ts';
import type { OutcomeCodec } from '../../storage/storage.ts';
import type { McpAnswer } from '../calls.ts';
import { UpstreamFailure, type UpstreamReason } from '../mcp-model.ts';
import { messageShape, replyIn, toMessage } from './rpc-message.ts';

/** An answer as it rests in the store: what came stays as it came, byte for byte. */
type StoredAnswer =
  | { readonly kind: 'reply'; readonly upstreamMs: number; readonly result?: string; readonly error?: string }
  | {
      readonly kind: 'input';
      readonly upstreamMs: number;
      readonly inputRequests: string;
      readonly continuation: string;
    };
type StoredFailure = { readonly reason: UpstreamReason; readonly detail: string };

/** Failures that surely ran nothing free their key. */
const ranNothing: readonly UpstreamReason[] = ['refused', 'auth', 'rate_limited'];

/** What comes of a call with an Idempotency-Key. */
export const answerCodec: OutcomeCodec<McpAnswer> = {
  name: 'mcp',
  encode: (answer) => JSON.stringify(toStored(answer)),
  decode: (text) => fromStored(JSON.parse(text) as StoredAnswer),
  encodeError: (error) =>
    error instanceof UpstreamFailure && !ranNothing.includes(error.reason)
      ? JSON.stringify({ reason: error.reason, detail: error.detail } satisfies StoredFailure)
      : null,
  decodeError(text) {
    const { reason, detail } = JSON.parse(text) as StoredFailure;
    return new UpstreamFailure(reason, detail);
  },
};

function toStored(answer: McpAnswer): StoredAnswer {
  const { kind, upstreamMs } = answer;
  if (kind === 'input') {
    const { inputRequests, continuation } = answer;
    return { kind, upstreamMs, inputRequests: joinJson(inputRequests).toString(), continuation };
  }
  const { reply } = answer;
  return 'result' in reply
    ? { kind, upstreamMs, result: reply.result.span().toString() }
    : { kind, upstreamMs, error: joinJson(reply.error.text).toString() };
}

function fromStored(stored: StoredAnswer): McpAnswer {
  const { kind, upstreamMs } = stored;
  if (kind === 'input')
    // Who repeats a call wants its questions as they stood; what they were made of has been sent.
    return {
      kind,
      upstreamMs,
      requests: [],
      inputRequests: [stored.inputRequests],
      continuation: stored.continuation,
    };
  const { result, error } = stored;
  const member = result === undefined ? `"error":${error}` : `"result":${result}`;
  const reply = replyIn(toMessage(scanJson(Buffer.from(`{${member}}`), messageShape)));
  if (reply === null) throw new Error('a stored answer is no answer');
  return { kind, upstreamMs, reply };
}
