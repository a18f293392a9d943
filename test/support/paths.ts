import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's own folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** A file of the development data beside the repository, or the reason to skip what needs it. */
export function sharedFile(path: string): { readonly file: string; readonly skip: string | false } {
  const file = join(root, '..', 'shared', path);
  return { file, skip: existsSync(file) ? false : `needs ../shared/${path}, which is not there` };
}
