/**
 * `dist/` of the published package: what a start loads, our code and the packages', in some forty files in place of two
 * thousand. Node resolves and links each file of its own, which is half of a start (docs/decisions/bundle.md).
 *
 * A module that looks for a file beside itself finds it: `import.meta.url` stands for its old place below `dist/`.
 */
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { type Plugin, rolldown } from 'rolldown';
import { codeVersion } from './src/search/kept-index/code-version.ts';

const source = resolve(import.meta.dirname, 'src');
const target = resolve(import.meta.dirname, 'dist');
/** The command, and the threads that it starts by their file. */
const entries = [
  'cli/main',
  'base/json-worker',
  'search/embedding/onnx-worker',
  'search/index/build-worker',
  'storage/embedded/report-worker',
];
/** Loaded by few starts, and then from where npm installed them. */
const onDemand = ['@clack/prompts', /^@opentelemetry\/(?!api)/, '@redis/client', 'oidc-provider', 'pg'];

/** V8 keeps a file with one other character at two bytes a character. */
const latin1 = (code: string) =>
  code.replaceAll(/[^\0-\xff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

const places: Plugin = {
  name: 'places',
  load: (id) =>
    id === resolve(source, 'search/kept-index/code-version.ts')
      ? `export const codeVersion = () => ${JSON.stringify(codeVersion())};`
      : null,
  transform: (code, id) =>
    id.startsWith(source) && code.includes('import.meta.url')
      ? code.replaceAll(
          'import.meta.url',
          `__place(${JSON.stringify(relative(source, id).replace(/ts$/, 'js'))})`,
        )
      : null,
  renderChunk: (code, chunk) =>
    code.replaceAll(/__place\("([^"]+)"\)/g, (_, module: string) => {
      const path = relative(dirname(chunk.fileName), module);
      return `new URL(${JSON.stringify(path.startsWith('.') ? path : `./${path}`)}, import.meta.url).href`;
    }),
  generateBundle: (_, files) => {
    for (const file of Object.values(files)) if (file.type === 'chunk') file.code = latin1(file.code);
  },
};

rmSync(target, { recursive: true, force: true });
const bundle = await rolldown({
  input: Object.fromEntries(entries.map((entry) => [entry, resolve(source, `${entry}.ts`)])),
  platform: 'node',
  external: onDemand,
  plugins: [places],
  logLevel: 'warn',
});
await bundle.write({
  dir: target,
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name]-[hash].js',
  // Without comments and blanks; names stay, for the stack of an error.
  minify: { compress: false, mangle: false },
});
await bundle.close();
copyFileSync(resolve(source, 'search/index/scan.wasm'), resolve(target, 'search/index/scan.wasm'));

// Types again, for TypeScript that reads a project as CommonJS and (`module: node16`) takes no types of a module there; Node's
// `require` takes the module itself.
const commonjs = resolve(target, 'sdk/commonjs');
mkdirSync(commonjs, { recursive: true });
writeFileSync(resolve(commonjs, 'package.json'), '{ "type": "commonjs" }\n');
