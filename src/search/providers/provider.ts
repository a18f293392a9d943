import type { Secret } from '../../base/secret.ts';
import type { Embedder } from '../embedder.ts';
import { loadOnnx } from './onnx.ts';
import { connectOpenAi, type Post } from './openai.ts';

/** Connects to what MCPRANK_EMBEDDINGS names: `openai:URL#model` or `onnx:FOLDER`; null for `builtin`. */
export function providerOf(
  spec: string,
  deps: { readonly apiKey: Secret | null; readonly post: Post; readonly onTokens: (tokens: number) => void },
): (() => Promise<Embedder>) | null {
  const [, kind, place = ''] = /^(openai|onnx):(.+)$/.exec(spec) ?? [];
  if (kind === 'onnx') return () => loadOnnx(place);
  if (kind !== 'openai') return null;
  const hash = place.indexOf('#');
  return () => connectOpenAi({ url: place.slice(0, hash), model: place.slice(hash + 1), ...deps });
}
