import { mkdirSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Problem } from '../base/problem.ts';

/** A settings file of another program: what we do not know of it stays as it is. */
export type SettingsFile = {
  readonly path: string;
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
    text = readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new Problem('invalid_request', `${file} cannot be read: ${(error as Error).message}`);
    return { path, content: {}, indent: '  ', mode: newFileMode };
  }
  const mode = statSync(path).mode & 0o777;
  const indent = /^\{\r?\n([ \t]+)/.exec(text)?.[1] ?? '  ';
  return { path, content: text.trim() === '' ? {} : parse(text, file), indent, mode };
}

function parse(text: string, file: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
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

/** In one step: whoever reads meanwhile sees the old file or the new one. */
export function writeSettings({ path, content, indent, mode }: SettingsFile): void {
  mkdirSync(dirname(path), { recursive: true });
  const beside = `${path}.${process.pid}.new`;
  writeFileSync(beside, `${JSON.stringify(content, null, indent)}\n`, { mode, flag: 'wx' });
  renameSync(beside, path);
}
