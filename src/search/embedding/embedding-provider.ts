import type { Secret } from '../../base/secret.ts';
import type { Embedder } from './embedder.ts';
import { loadOnnxEmbedder } from './onnx-embedder.ts';
import { connectOpenAiEmbedder, type Post } from './openai-embedder.ts';

/** What MCPRANK_EMBEDDINGS names, ready to be connected: `openai:URL#model` or `onnx:FOLDER`; null for `builtin`. */
export function parseEmbeddingProvider(
  spec: string,
  deps: { readonly apiKey: Secret | null; readonly post: Post; readonly onTokens: (tokens: number) => void },
): (() => Promise<Embedder>) | null {
  const [, kind, location = ''] = /^(openai|onnx):(.+)$/.exec(spec) ?? [];
  if (kind === 'onnx') return () => loadOnnxEmbedder(location);
  if (kind !== 'openai') return null;
  const hash = location.indexOf('#');
  const [url, model] = [location.slice(0, hash), location.slice(hash + 1)];
  return () => connectOpenAiEmbedder({ url, model, ...deps });
}
