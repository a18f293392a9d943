import { readdirSync, readFileSync } from 'node:fs';
import { sha256Bytes } from '../../base/id.ts';

const madeBy = ['.', '../index', '../text', '../embedding', '../../base'];
let version: string | undefined;

/**
 * SHA-256 of the code that analyses texts, lays them out and keeps them: what another version made is not used. The published
 * package has no such files; `bundle.ts` puts there what this returned when it was built.
 */
export function codeVersion(): string {
  version ??= sha256Bytes(
    Buffer.concat(
      madeBy.flatMap((folder) =>
        readdirSync(new URL(`${folder}/`, import.meta.url))
          .filter((name) => /\.(ts|wasm)$/.test(name) && !name.includes('.test.'))
          .sort()
          .map((name) => readFileSync(new URL(`${folder}/${name}`, import.meta.url))),
      ),
    ),
  );
  return version;
}
