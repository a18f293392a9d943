import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Said to whoever calls: it names the file, never what stands in it. */
export class WorkloadTokenFault extends Error {}

/** The platform's token of that name, as it is now. Throws `WorkloadTokenFault`. */
export type WorkloadTokens = (name: string) => Promise<string>;

const maxBytes = 65_536;
const jwt = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * What a platform says of us in a signed token (a projected service account token of Kubernetes and the like), which it writes
 * into a folder and turns over by itself: read anew each time. `folder` null: there are none.
 */
export function createWorkloadTokens(folder: string | null): WorkloadTokens {
  return async (name) => {
    if (folder === null) throw new WorkloadTokenFault('MCPRANK_WORKLOAD_TOKENS is not set');
    const text = await read(join(folder, name)).catch((error: unknown) => {
      throw new WorkloadTokenFault(`the workload token ${name} cannot be read`, { cause: error });
    });
    if (!jwt.test(text)) throw new WorkloadTokenFault(`the workload token ${name} is no JWT`);
    return text;
  };
}

async function read(file: string): Promise<string> {
  const { size } = await stat(file);
  if (size > maxBytes) throw new Error(`${size} bytes`);
  return (await readFile(file, 'utf8')).trim();
}
