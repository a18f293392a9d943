/**
 * `npm run kernel`: assembles the WebAssembly kernels. The compiled files are committed, so that nobody needs an assembler
 * to run the service; `test/search/kernels.test.ts` holds them to their sources.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import loadWabt from 'wabt';

export const kernels: readonly { readonly source: string; readonly compiled: string }[] = [
  '../src/search/index/scan',
  './product',
].map((name) => {
  const pathTo = (ending: string) => fileURLToPath(new URL(`${name}.${ending}`, import.meta.url));
  return { source: pathTo('wat'), compiled: pathTo('wasm') };
});

const features = { simd: true, relaxed_simd: true, threads: true };

/** The text format (WAT) of one module as its binary. */
export async function assemble(file: string): Promise<Uint8Array> {
  const wabt = await loadWabt();
  const module = wabt.parseWat(file, readFileSync(file, 'utf8'), features);
  try {
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}

if (import.meta.main)
  for (const { source, compiled } of kernels) {
    const binary = await assemble(source);
    writeFileSync(compiled, binary);
    console.log(`wrote ${compiled} (${binary.length} bytes)`);
  }
