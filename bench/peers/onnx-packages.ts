/** Preloaded into a service (`--import`): the two optional packages come from the folder that tests install them in. */
import { createRequire, registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { resolve: locate } = createRequire(join(root, 'test/full/onnx/package.json'));
// Before the hook, which would be asked about these, too.
const urls = new Map(
  ['onnxruntime-node', '@huggingface/tokenizers'].map((name) => [name, pathToFileURL(locate(name)).href]),
);

registerHooks({
  resolve(specifier, context, next) {
    const url = urls.get(specifier);
    return url === undefined ? next(specifier, context) : { url, shortCircuit: true };
  },
});
