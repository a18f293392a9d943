import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../base/problem.ts';
import type { Embedder, TextKind } from './embedder.ts';
import { paddedDims, unitVectors } from './unit-vectors.ts';

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
type Tokenizer = { encode(text: string): { readonly ids: readonly number[] } };
export type Tokenizers = { readonly Tokenizer: new (tokenizer: object, config: object) => Tokenizer };
type Settings = { readonly prompts?: Readonly<Partial<Record<TextKind, string>>> };
type Model = {
  readonly folder: string;
  readonly runtime: OnnxRuntime;
  readonly session: Session;
  readonly tokenizer: Tokenizer;
};

const maxTokens = 256;
const textsPerRun = 16;

/**
 * A sentence-embedding model in a local folder: model.onnx (or onnx/model.onnx), tokenizer.json, and where they are there
 * tokenizer_config.json and config_sentence_transformers.json (its `prompts` for `query` and `document`).
 * The first output is read: [texts, dims] as it is, [texts, tokens, dims] averaged over the tokens of the text.
 */
export async function loadOnnxEmbedder(
  folder: string,
  load: (name: string) => Promise<unknown> = (name) => import(name),
): Promise<Embedder> {
  const file = ['model.onnx', 'onnx/model.onnx'].map((name) => join(folder, name)).find(existsSync);
  if (file === undefined) throw setupProblem(folder, 'has no model.onnx');
  const runtime = (await importOptional('onnxruntime-node', load)) as OnnxRuntime;
  const { Tokenizer } = (await importOptional('@huggingface/tokenizers', load)) as Tokenizers;
  const tokenizer = new Tokenizer(
    readJson(folder, 'tokenizer.json') ?? refuseFolder(folder),
    readJson(folder, 'tokenizer_config.json') ?? {},
  );
  const settings = readJson(folder, 'config_sentence_transformers.json') as Settings | null;
  const session = await runtime.InferenceSession.create(file).catch((cause: unknown) => {
    throw setupProblem(folder, 'holds a model that cannot be read', cause);
  });
  const model: Model = { folder, runtime, session, tokenizer };
  const embed = async (texts: readonly string[], kind: TextKind) => {
    const prefix = settings?.prompts?.[kind] ?? '';
    const found: number[][] = [];
    for (let at = 0; at < texts.length; at += textsPerRun)
      found.push(
        ...(await runModel(
          model,
          texts.slice(at, at + textsPerRun).map((text) => prefix + text),
        )),
      );
    return unitVectors(found, dims);
  };
  const [sample = []] = await runModel(model, ['dimensions']);
  const dims = paddedDims(sample.length);
  return { id: `onnx ${folder} ${sample.length}`, dims, embed };
}

async function runModel(
  { folder, runtime, session, tokenizer }: Model,
  texts: readonly string[],
): Promise<number[][]> {
  const rows = texts.map((text) => tokenizer.encode(text).ids.slice(0, maxTokens));
  const lengths = rows.map((row) => row.length);
  const longest = Math.max(1, ...lengths);
  const ids = new BigInt64Array(rows.length * longest);
  const mask = new BigInt64Array(rows.length * longest);
  for (const [r, row] of rows.entries()) {
    ids.set(row.map(BigInt), r * longest);
    mask.fill(1n, r * longest, r * longest + row.length);
  }
  const inputs: Readonly<Record<string, BigInt64Array>> = { input_ids: ids, attention_mask: mask };
  const feeds = session.inputNames.map((name) => {
    const data = inputs[name] ?? new BigInt64Array(ids.length);
    return [name, new runtime.Tensor('int64', data, [rows.length, longest])];
  });
  const output = (await session.run(Object.fromEntries(feeds)))[session.outputNames[0] ?? ''];
  if (output === undefined) throw setupProblem(folder, 'holds a model without outputs');
  return pool(output, lengths);
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

async function importOptional(name: string, load: (name: string) => Promise<unknown>): Promise<unknown> {
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
    throw setupProblem(folder, `has a ${name} that is not JSON`, cause);
  }
}

function refuseFolder(folder: string): never {
  throw setupProblem(folder, 'has no tokenizer.json');
}

function setupProblem(folder: string, why: string, cause?: unknown): Problem {
  return new Problem('setup', `MCPRANK_EMBEDDINGS: the folder ${folder} ${why}`, { cause });
}
