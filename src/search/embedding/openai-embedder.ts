import { setTimeout as delay } from 'node:timers/promises';
import { forEachConcurrent } from '../../base/concurrency.ts';
import { Problem } from '../../base/problem.ts';
import { type Backoff, backoffMs, parseRetryAfter } from '../../base/retry.ts';
import type { Secret } from '../../base/secret.ts';
import type { Embedder, TextKind } from './embedder.ts';
import { paddedDims, unitVectors } from './unit-vectors.ts';

/** One HTTP exchange, read whole; `outbound.request` is one. */
export type Post = (request: {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
  readonly maxBytes: number;
}) => Promise<{
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}>;

export type OpenAiOptions = {
  /** Base of the API: `/embeddings` is appended (https://platform.openai.com/docs/api-reference/embeddings). */
  readonly url: string;
  readonly model: string;
  readonly apiKey: Secret | null;
  readonly post: Post;
  /** Tokens of each exchange as the provider counts (and charges) them. */
  readonly onTokens: (tokens: number) => void;
};

/** What the service takes at once; a batch is cut by whichever comes first. */
const textsPerRequest = 96;
const charsPerRequest = 120_000;
/** Longer than any model reads: the rest of a text is left out rather than refused. */
const charsPerText = 24_000;
const atOnce = 4;
const documentTimeoutMs = 60_000;
/** A search waits for it: slower is as good as down, and the built-in vectors answer. */
const queryTimeoutMs = 2_000;
const maxBytes = 64_000_000;
const tries = 5;
const backoff: Backoff = { firstMs: 500, maxMs: 30_000 };

/** Asks the service for one vector, to learn its dimensions; throws its Problem when there is none. */
export async function connectOpenAiEmbedder(options: OpenAiOptions): Promise<Embedder> {
  const [sample = []] = await requestVectors(options, ['dimensions'], queryTimeoutMs * 5);
  const dims = paddedDims(sample.length);
  if (sample.length === 0) throw unusable(options, 'its vectors are empty');

  const embedDocuments = async (texts: readonly string[]): Promise<Float32Array> => {
    const batches = toBatches(texts);
    const found = new Map<number, readonly (readonly number[])[]>();
    await forEachConcurrent(batches.entries(), { limit: atOnce }, async ([i, batch]) =>
      found.set(i, await withRetries(() => requestVectors(options, batch, documentTimeoutMs))),
    );
    return unitVectors(
      batches.flatMap((_, i) => found.get(i) ?? []),
      dims,
    );
  };
  return {
    id: `openai ${options.url} ${options.model} ${sample.length}`,
    dims,
    embed: async (texts: readonly string[], kind: TextKind) =>
      kind === 'query'
        ? unitVectors(await requestVectors(options, texts, queryTimeoutMs), dims)
        : embedDocuments(texts),
  };
}

function toBatches(texts: readonly string[]): string[][] {
  const batches: string[][] = [];
  let chars = 0;
  for (const text of texts) {
    // An empty input is refused by some services; a space means as little.
    const input = text.slice(0, charsPerText).toWellFormed() || ' ';
    const last = batches.at(-1);
    if (last === undefined || last.length >= textsPerRequest || chars + input.length > charsPerRequest) {
      batches.push([input]);
      chars = input.length;
    } else {
      last.push(input);
      chars += input.length;
    }
  }
  return batches;
}

async function requestVectors(
  options: OpenAiOptions,
  input: readonly string[],
  timeoutMs: number,
): Promise<readonly (readonly number[])[]> {
  const { url, model, apiKey, post } = options;
  const reply = await post({
    method: 'POST',
    url: `${url.replace(/\/+$/, '')}/embeddings`,
    headers: {
      'content-type': 'application/json',
      ...(apiKey !== null && { authorization: `Bearer ${apiKey.reveal()}` }),
    },
    body: JSON.stringify({ model, input, encoding_format: 'float' }),
    timeoutMs,
    maxBytes,
  });
  if (reply.status !== 200) throw refusal(options, reply.status, reply.headers['retry-after']);
  const { data, usage } = parse(options, reply.body);
  if (data?.length !== input.length)
    throw unusable(options, 'it answers another number of vectors than asked');
  options.onTokens(usage?.total_tokens ?? 0);
  return [...data].sort((a, b) => (a.index ?? 0) - (b.index ?? 0)).map(({ embedding }) => embedding ?? []);
}

type EmbeddingsReply = {
  readonly data?: readonly { readonly index?: number; readonly embedding?: readonly number[] }[];
  readonly usage?: { readonly total_tokens?: number };
};

function parse(options: OpenAiOptions, body: Buffer): EmbeddingsReply {
  try {
    return JSON.parse(body.toString()) as EmbeddingsReply;
  } catch (cause) {
    throw unusable(options, 'its answer is not JSON', cause);
  }
}

/** A service that is busy or broken is asked again; one that refuses (key, model) is not worth asking again at once. */
function refusal({ url }: OpenAiOptions, status: number, retryAfter: string | undefined): Problem {
  const again = status === 429 || status >= 500;
  const askedMs = parseRetryAfter(retryAfter) ?? 0;
  return new Problem(
    again ? 'unavailable' : 'upstream_error',
    `The embeddings service ${url} answers ${status}`,
    {
      ...(again && {
        retryAfterMs: askedMs > 0 ? askedMs : backoff.firstMs,
      }),
    },
  );
}

function unusable({ url }: OpenAiOptions, why: string, cause?: unknown): Problem {
  return new Problem('upstream_error', `The embeddings service ${url} is not usable: ${why}`, { cause });
}

async function withRetries<T>(act: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof Problem) || !isTransient(error) || attempt === tries) throw error;
      const pauseMs = Math.max(error.retryAfterMs ?? 0, backoffMs(backoff, attempt));
      await delay(Math.min(backoff.maxMs, pauseMs));
    }
  }
}

function isTransient({ kind, name }: Problem): boolean {
  return kind === 'unavailable' || name === 'OutboundFailure';
}
