import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { root } from './paths.ts';

/** The optional packages, from the folder that has them; never from ours. */
const fromOnnxFolder = createRequire(join(root, 'test/full/onnx/package.json'));
export const locateOnnx = (name: string) => pathToFileURL(fromOnnxFolder.resolve(name)).href;
export const noOnnx = (() => {
  try {
    locateOnnx('onnxruntime-node');
    return false;
  } catch {
    return 'needs onnxruntime-node: npm ci --prefix test/full/onnx';
  }
})();

/** Words that the tests use, each with a meaning on an axis of its own; synonyms share one. */
const axes = [
  ['mail', 'email', 'inbox', 'letter'],
  ['weather', 'rain', 'forecast', 'storm'],
  ['money', 'bank', 'payment', 'invoice'],
  ['music', 'song', 'play', 'band'],
];
const dims = 24;
const words = axes.flat();
const axisOf = new Map(axes.flatMap((synonyms, axis) => synonyms.map((word) => [word, axis] as const)));

function vectorOf(text: string): number[] {
  const vector = new Array<number>(dims).fill(0.01);
  for (const word of text.toLowerCase().split(/\W+/)) {
    const axis = axisOf.get(word);
    if (axis !== undefined) vector[axis] = (vector[axis] ?? 0) + 1;
  }
  return vector;
}

export type EmbeddingsService = {
  readonly url: string;
  readonly asked: { readonly input: readonly string[]; readonly authorization: string | undefined }[];
  /** Statuses to answer before it works again; 0 breaks the connection. */
  readonly failures: number[];
  /** While set, every request is answered so. */
  down: boolean;
};

/** A service with the form of OpenAI's: https://platform.openai.com/docs/api-reference/embeddings/create */
export async function startEmbeddings(t: TestContext): Promise<EmbeddingsService> {
  const asked: EmbeddingsService['asked'] = [];
  const failures: number[] = [];
  const state = { down: false };
  const server = createServer(async (request, reply) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { input } = JSON.parse(Buffer.concat(chunks).toString()) as { input: string[] };
    const failure = state.down ? 503 : failures.shift();
    if (failure === 0) return void request.socket.destroy();
    if (failure !== undefined) return void reply.writeHead(failure, { 'retry-after': '0' }).end('{}');
    asked.push({ input, authorization: request.headers.authorization });
    // Out of order, which the API allows: the index says which is which.
    const data = input.map((text, index) => ({ index, embedding: vectorOf(text) })).reverse();
    const usage = { prompt_tokens: input.length, total_tokens: input.length };
    reply.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ data, usage }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return Object.assign(state, { url: `http://127.0.0.1:${port}/v1`, asked, failures });
}

/**
 * A real ONNX model of one operation (a row of a table for each token) and its tokenizer, in the layout of a model hub. With
 * `detours` the rows go through so many pairs of matrices that leave them as they are, and take their time.
 */
export function writeOnnxModel(folder: string, detours = 0): void {
  mkdirSync(folder, { recursive: true });
  const vocabulary = ['[PAD]', '[UNK]', ...words];
  const table = new Float32Array(vocabulary.length * dims);
  for (const [row, word] of vocabulary.entries()) table.set(vectorOf(word), row * dims);
  writeFileSync(join(folder, 'model.onnx'), onnxModel(vocabulary.length, table, detours));
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer(vocabulary)));
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({ model_max_length: 128 }));
}

function tokenizer(vocabulary: readonly string[]) {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: ['[PAD]', '[UNK]'].map((content, id) => ({
      id,
      content,
      special: true,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
    })),
    normalizer: { type: 'Lowercase' },
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: null,
    model: {
      type: 'WordPiece',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocabulary.map((word, i) => [word, i])),
      unk_token: '[UNK]',
    },
  };
}

/** What goes through a detour is so much wider on its way. */
const detourWidth = 2_048;

/** ModelProto of onnx.proto3, field by field: ir_version 8, opset 13, one Gather from an initialised table, and the detours. */
function onnxModel(rows: number, table: Float32Array, detours: number): Buffer {
  const node = (operation: string, inputs: readonly string[], output: string) => [
    ...inputs.map((input) => text(1, input)),
    text(2, output),
    text(3, output),
    text(4, operation),
  ];
  const hidden = (i: number) => (i === detours ? 'last_hidden_state' : `hidden_${i}`);
  const nodes = [
    node('Gather', ['table', 'input_ids'], hidden(0)),
    ...Array.from({ length: detours }, (_, i) => [
      node('MatMul', [hidden(i), 'there'], `wide_${i}`),
      node('MatMul', [`wide_${i}`, 'back'], hidden(i + 1)),
    ]).flat(),
  ];
  const matrix = (name: string, height: number, width: number, values: Float32Array) => [
    number(1, height),
    number(1, width),
    number(2, 1),
    text(8, name),
    bytes(9, Buffer.from(values.buffer)),
  ];
  const initializers = [matrix('table', rows, dims, table)];
  if (detours > 0)
    initializers.push(
      matrix('there', dims, detourWidth, diagonal(dims, detourWidth)),
      matrix('back', detourWidth, dims, diagonal(detourWidth, dims)),
    );
  const value = (name: string, type: number, shape: readonly (string | number)[]) => [
    text(1, name),
    message(2, [
      message(1, [
        number(1, type),
        message(
          2,
          shape.map((size) => message(1, [typeof size === 'number' ? number(1, size) : text(2, size)])),
        ),
      ]),
    ]),
  ];
  const graph = [
    ...nodes.map((each) => message(1, each)),
    text(2, 'graph'),
    ...initializers.map((each) => message(5, each)),
    message(11, value('input_ids', 7, ['texts', 'tokens'])),
    message(12, value('last_hidden_state', 1, ['texts', 'tokens', dims])),
  ];
  return Buffer.concat([number(1, 8), message(7, graph), message(8, [text(1, ''), number(2, 13)])]);
}

function diagonal(height: number, width: number): Float32Array {
  const values = new Float32Array(height * width);
  for (let i = 0; i < Math.min(height, width); i++) values[i * width + i] = 1;
  return values;
}

function varint(value: number): Buffer {
  const out: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...out, left]);
    out.push((left % 128) + 128);
  }
}
function number(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}
function bytes(field: number, value: Buffer): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(value.length), value]);
}
function text(field: number, value: string): Buffer {
  return bytes(field, Buffer.from(value));
}
function message(field: number, parts: readonly Buffer[]): Buffer {
  return bytes(field, Buffer.concat(parts));
}
