import { mkdirSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Problem } from '../base/problem.ts';

/** A settings file of another program: what we do not know of it stays as it is. */
export type SettingsFile = {
  readonly path: string;
  /** As it was read; null: there was none. */
  readonly text: string | null;
  /** Empty where there is no file yet. */
  readonly content: Record<string, unknown>;
  readonly indent: string;
  readonly mode: number;
};

/** Only its owner reads a file that we begin: there is a key in it. */
const newFileMode = 0o600;

/** Throws `invalid_request` where the file is more than JSON: to write it again would lose its comments. */
export function readSettings(file: string): SettingsFile {
  let path = file;
  let text: string;
  try {
    path = realpathSync(file);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new Problem('invalid_request', `${file} cannot be read: ${(error as Error).message}`);
    return { path, text: null, content: {}, indent: '  ', mode: newFileMode };
  }
  const mode = statSync(path).mode & 0o777;
  const json = text.replace(/^\uFEFF/, '');
  const indent = /^\{\r?\n([ \t]+)/.exec(json)?.[1] ?? '  ';
  return { path, text, content: json.trim() === '' ? {} : parse(json, file), indent, mode };
}

function parse(text: string, file: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text, asWritten);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new Problem(
    'invalid_request',
    `${file} is no plain JSON object (has it comments?) and was left as it is; docs/clients.md shows the entry to add by hand`,
  );
}

/** A number that we would write otherwise, a long one say, keeps its text (https://github.com/tc39/proposal-json-parse-with-source). */
function asWritten(_name: string, value: unknown, from?: { readonly source?: string }): unknown {
  const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
  const source = from?.source ?? String(value);
  return typeof value === 'number' && String(value) !== source ? rawJSON(source) : value;
}

/** Throws `conflict` where somebody else wrote it meanwhile. In one step: whoever reads meanwhile sees the old file or the new one. */
export function writeSettings({ path, text, content, indent, mode }: SettingsFile): void {
  if (text !== readIfThere(path))
    throw new Problem('conflict', `${path} was written by another program just now: try again`);
  mkdirSync(dirname(path), { recursive: true });
  const beside = `${path}.${process.pid}.new`;
  writeFileSync(beside, `${JSON.stringify(content, null, indent)}\n`, { mode, flag: 'wx' });
  renameSync(beside, path);
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
