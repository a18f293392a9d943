/** A sentence-embedding model and its tokenizer, at work in the thread that loads them: `onnx-worker.ts`. */
import type { TextKind } from './embedder.ts';

/** What is needed to load a model, as plain values. */
export type OnnxSource = {
  /** The model, its tokenizer and their settings, as they stand in its folder. */
  readonly file: string;
  readonly tokenizer: object;
  readonly tokenizerConfig: object;
  /** Said before each text of a kind. */
  readonly prompts: Readonly<Partial<Record<TextKind, string>>>;
  /** URLs of the two optional packages, which are not installed with us. */
  readonly runtimeUrl: string;
  readonly tokenizersUrl: string;
  /** Threads that compute. */
  readonly threads: number;
};

export type OnnxModel = {
  /** One vector a text: the model's own length, any norm. */
  embed(texts: readonly string[], kind: TextKind): Promise<number[][]>;
};

/** Of the two optional packages, what is used here. */
type Tensor = { readonly data: Float32Array; readonly dims: readonly number[] };
type Session = {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, Tensor>>>;
};
type Runtime = {
  readonly InferenceSession: { create(file: string, options: object): Promise<Session> };
  readonly Tensor: new (type: 'int64', data: BigInt64Array, dims: readonly number[]) => unknown;
};
type Tokenizer = { encode(text: string): { readonly ids: readonly number[] } };
type Tokenizers = { readonly Tokenizer: new (tokenizer: object, config: object) => Tokenizer };

const maxTokens = 256;

export async function loadOnnxModel(source: OnnxSource): Promise<OnnxModel> {
  const runtime = await importPackage<Runtime>(source.runtimeUrl);
  const { Tokenizer } = await importPackage<Tokenizers>(source.tokenizersUrl);
  const tokenizer = new Tokenizer(source.tokenizer, source.tokenizerConfig);
  const session = await runtime.InferenceSession.create(source.file, {
    intraOpNumThreads: source.threads,
    interOpNumThreads: 1,
    // Its threads would else wait for each other in a loop, and take the processor from those who answer.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  return {
    async embed(texts, kind) {
      const prompt = source.prompts[kind] ?? '';
      const rows = texts.map((text) => tokenizer.encode(prompt + text).ids.slice(0, maxTokens));
      const longest = Math.max(1, ...rows.map((row) => row.length));
      const { ids, mask } = padded(rows, longest);
      const inputs: Readonly<Record<string, BigInt64Array>> = { input_ids: ids, attention_mask: mask };
      const feeds = session.inputNames.map((name) => {
        const data = inputs[name] ?? new BigInt64Array(ids.length);
        return [name, new runtime.Tensor('int64', data, [rows.length, longest])];
      });
      const output = (await session.run(Object.fromEntries(feeds)))[session.outputNames[0] ?? ''];
      if (output === undefined) throw new Error('the model has no outputs');
      return pool(
        output,
        rows.map((row) => row.length),
      );
    },
  };
}

function padded(rows: readonly (readonly number[])[], longest: number) {
  const ids = new BigInt64Array(rows.length * longest);
  const mask = new BigInt64Array(rows.length * longest);
  for (const [r, row] of rows.entries()) {
    ids.set(row.map(BigInt), r * longest);
    mask.fill(1n, r * longest, r * longest + row.length);
  }
  return { ids, mask };
}

/** One vector a text: the model's own, or the mean over the text's tokens. */
function pool({ data, dims: shape }: Tensor, lengths: readonly number[]): number[][] {
  const [, second = 0, third] = shape;
  if (third === undefined) return lengths.map((_, r) => [...data.subarray(r * second, (r + 1) * second)]);
  return lengths.map((length, r) => {
    const sum = new Array<number>(third).fill(0);
    for (let i = 0; i < length; i++)
      for (let d = 0; d < third; d++) sum[d] = (sum[d] ?? 0) + (data[(r * second + i) * third + d] ?? 0);
    return sum.map((x) => x / Math.max(1, length));
  });
}

/** CommonJS or not is the package's business. */
async function importPackage<T extends object>(url: string): Promise<T> {
  const module = (await import(url)) as T & { readonly default?: Partial<T> };
  return { ...module.default, ...module };
}
