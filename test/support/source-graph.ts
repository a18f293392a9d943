import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { root } from './paths.ts';

export type Import = {
  readonly specifier: string;
  /** Relative to the folder that was read; null: a package. */
  readonly target: string | null;
  readonly isTypeOnly: boolean;
};
export type Source = { readonly file: string; readonly text: string; readonly imports: readonly Import[] };

/** The sources of a folder of the repository, tests aside, and what each imports. */
export function readSources(folder: string): Source[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => /\.tsx?$/.test(file) && !/\.(test|d)\.ts$/.test(file))
    .map((file) => readSource(folder, file));
}

const importPattern =
  /^\s*(?:import|export)\b(\s+type\b)?[^'";]*?from\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|^import\s+'([^']+)'/gm;

function readSource(folder: string, file: string): Source {
  const text = readFileSync(join(root, folder, file), 'utf8');
  const imports = [...text.matchAll(importPattern)].map((match) => {
    const specifier = match[2] ?? match[3] ?? match[4] ?? '';
    const isRelative = specifier.startsWith('.');
    return {
      specifier,
      target: isRelative
        ? relative(join(root, folder), resolve(root, folder, dirname(file), specifier))
        : null,
      isTypeOnly: match[1] !== undefined,
    };
  });
  return { file, text, imports };
}

/** Files that import themselves by way of others, types included: each ring as a path. */
export function findCycles(sources: readonly Source[]): string[] {
  const graph = new Map(
    sources.map(({ file, imports }) => [file, imports.flatMap(({ target }) => target ?? [])]),
  );
  const cycles: string[] = [];
  const done = new Set<string>();
  const walk = (file: string, path: readonly string[]) => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (done.has(file) || path.includes(file)) return;
    for (const next of graph.get(file) ?? []) walk(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) walk(file, []);
  return cycles;
}
