import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './paths.ts';

const modules = join(root, 'test/full/clients/node_modules');

/** The `skip` of a test of clients by other people. */
export const clientsMissing = existsSync(modules) ? false : 'needs npm ci --prefix test/full/clients';

const program = (name: string, file: string) => join(modules, name, file);

/** The entry of a package's own command. */
export function commandOf(name: string, command: string): string {
  const { bin } = JSON.parse(readFileSync(program(name, 'package.json'), 'utf8')) as {
    bin: string | Record<string, string>;
  };
  return program(name, typeof bin === 'string' ? bin : (bin[command] ?? ''));
}

/** A package's module; this repository's own types do not know it. */
export async function load(name: string): Promise<Record<string, unknown>> {
  const { exports } = JSON.parse(readFileSync(program(name, 'package.json'), 'utf8')) as {
    exports: Record<string, { import?: string | { default: string }; default?: string }>;
  };
  const entry = exports['.']?.import ?? exports['.']?.default ?? '';
  return import(pathToFileURL(program(name, typeof entry === 'string' ? entry : entry.default)).href);
}
