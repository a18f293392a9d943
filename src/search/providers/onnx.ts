import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../base/problem.ts';
import type { Embedder, TextKind } from '../embedder.ts';
import { paddedDims, unitVectors } from './vectors.ts';

/** Of the two optional packages, what is used here; neither is installed with us. */
type Tensor = { readonly data: Float32Array; readonly dims: readonly number[] };
type Session = {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, Tensor>>>;
};
export type OnnxRuntime = {
  readonly InferenceSession: { create(file: string): Promise<Session> };
  readonly Tensor: new (type: 'int64', data: BigInt64Array, dims: readonly number[]) => unknown;
};
export type Tokenizers = {
  readonly Tokenizer: new (
    tokenizer: object,
    config: object,
  ) => { encode(text: string): { readonly ids: readonly number[] } };
};

const maxTokens = 256;
const textsPerRun = 16;

/**
 * A sentence-embedding model in a local folder: model.onnx (or onnx/model.onnx), tokenizer.json, and where they are there
 * tokenizer_config.json and config_sentence_transformers.json (its `prompts` for `query` and `document`).
 * The first output is read: [texts, dims] as it is, [texts, tokens, dims] averaged over the tokens of the text.
 */
export async function loadOnnx(
  folder: string,
  load: (name: string) => Promise<unknown> = (name) => import(name),
): Promise<Embedder> {
  const file = ['model.onnx', 'onnx/model.onnx'].map((name) => join(folder, name)).find(existsSync);
  if (file === undefined) throw setup(folder, 'has no model.onnx');
  const runtime = (await optional('onnxruntime-node', load)) as OnnxRuntime;
  const { Tokenizer } = (await optional('@huggingface/tokenizers', load)) as Tokenizers;
  const tokenizer = new Tokenizer(
    readJson(folder, 'tokenizer.json') ?? refuseFolder(folder),
    readJson(folder, 'tokenizer_config.json') ?? {},
  );
  const prompts = (
    readJson(folder, 'config_sentence_transformers.json') as { prompts?: Record<string, string> } | null
  )?.prompts;
  const session = await runtime.InferenceSession.create(file).catch((cause: unknown) => {
    throw setup(folder, 'holds a model that cannot be read', cause);
  });

  const run = async (texts: readonly string[]): Promise<number[][]> => {
    const rows = texts.map((text) => tokenizer.encode(text).ids.slice(0, maxTokens));
    const length = Math.max(1, ...rows.map((row) => row.length));
    const ids = new BigInt64Array(rows.length * length);
    const mask = new BigInt64Array(rows.length * length);
    for (const [r, row] of rows.entries())
      for (const [i, id] of row.entries()) {
        ids[r * length + i] = BigInt(id);
        mask[r * length + i] = 1n;
      }
    const feeds: Record<string, unknown> = {};
    for (const name of session.inputNames) {
      const data =
        name === 'attention_mask' ? mask : name === 'input_ids' ? ids : new BigInt64Array(ids.length);
      feeds[name] = new runtime.Tensor('int64', data, [rows.length, length]);
    }
    const output = (await session.run(feeds))[session.outputNames[0] ?? ''];
    if (output === undefined) throw setup(folder, 'holds a model without outputs');
    return pool(
      output,
      rows.map((row) => row.length),
    );
  };
  const embed = async (texts: readonly string[], kind: TextKind) => {
    const prefix = prompts?.[kind] ?? '';
    const found: number[][] = [];
    for (let at = 0; at < texts.length; at += textsPerRun)
      found.push(...(await run(texts.slice(at, at + textsPerRun).map((text) => prefix + text))));
    return unitVectors(found, dims);
  };
  const [sample = []] = await run(['dimensions']);
  const dims = paddedDims(sample.length);
  return { id: `onnx ${folder} ${sample.length}`, dims, embed };
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

async function optional(name: string, load: (name: string) => Promise<unknown>): Promise<unknown> {
  try {
    const module = (await load(name)) as { default?: object };
    // CommonJS or not is the package's business.
    return { ...module.default, ...module };
  } catch (cause) {
    throw new Problem(
      'setup',
      `MCPRANK_EMBEDDINGS=onnx:… needs the packages onnxruntime-node and @huggingface/tokenizers: npm install onnxruntime-node @huggingface/tokenizers`,
      { cause },
    );
  }
}

function readJson(folder: string, name: string): object | null {
  const file = join(folder, name);
  if (!existsSync(file)) return null;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as object;
  } catch (cause) {
    throw setup(folder, `has a ${name} that is not JSON`, cause);
  }
}

function refuseFolder(folder: string): never {
  throw setup(folder, 'has no tokenizer.json');
}

function setup(folder: string, why: string, cause?: unknown): Problem {
  return new Problem('setup', `MCPRANK_EMBEDDINGS: the folder ${folder} ${why}`, { cause });
}
