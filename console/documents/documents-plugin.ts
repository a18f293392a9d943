import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';
import { renderDocument } from './render-document.ts';

const folder = fileURLToPath(new URL('../../docs/', import.meta.url));
const moduleName = 'virtual:documents';
const resolved = `\0${moduleName}`;

/**
 * The documents of docs/ as the console reads them: rendered at build time into one file beside its scripts, with their
 * pictures. `virtual:documents` is that file's URL.
 */
export function documentsPlugin(): Plugin {
  return {
    name: 'documents',
    resolveId: (id) => (id === moduleName ? resolved : null),
    load(id) {
      if (id !== resolved) return null;
      const emit = (name: string, extension: string, source: string | Buffer) => {
        const hash = createHash('sha256').update(source).digest('base64url').slice(0, 8);
        const fileName = `assets/${name}-${hash}.${extension}`;
        this.emitFile({ type: 'asset', fileName, source });
        return `/${fileName}`;
      };
      const pictures = new Map(
        namesOf('.svg').map((name) => [name, emit(basename(name, '.svg'), 'svg', read(name))]),
      );
      const documents = namesOf('.md').map((name) => {
        this.addWatchFile(folder + name);
        return renderDocument(basename(name, '.md'), read(name).toString(), (picture) =>
          pictures.get(picture),
        );
      });
      return `export default ${JSON.stringify(emit('documents', 'json', JSON.stringify(documents)))};`;
    },
  };
}

function namesOf(extension: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith(extension));
}

function read(name: string): Buffer {
  return readFileSync(folder + name);
}
