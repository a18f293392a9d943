import { Problem } from '../base/problem.ts';
import { WatchedFile } from '../base/watched-file.ts';
import type { Config } from '../config.ts';
import { applyDeclared } from './declared-config/apply-declared.ts';
import type { ReadDeps } from './declared-file/read-declared.ts';
import type { Services } from './services.ts';

/** The file of MCPRANK_CONFIG while the service runs. */
export type ServedDeclaration = {
  /** Applies the file again where it changed. */
  reload(): Promise<void>;
  close(): Promise<void>;
};

/** Applies the file, and again whenever it changes. Throws `setup` where it has a fault at the start; later that is a warning. */
export async function serveDeclared(
  services: Services,
  config: Pick<Config, 'tiers'>,
  { path, environment }: { readonly path: string; readonly environment: ReadDeps['environment'] },
): Promise<ServedDeclaration> {
  const { log } = services.telemetry;
  const file = new WatchedFile({ path, subject: 'MCPRANK_CONFIG' });
  const apply = async (bytes: Buffer) => {
    const text = bytes.toString('utf8');
    const { changes, warnings } = await applyDeclared(services, config, { name: path, text, environment });
    for (const warning of warnings) log.warn('config.file.warning', { file: path, warning });
    log.info('config.file.applied', { file: path, changes: changes.length });
  };
  const text = file.read();
  try {
    await apply(text).catch((error: unknown) => {
      if (error instanceof Problem && error.kind === 'invalid_request') throw error;
      // Another process of the same start was first with something: now it is there, and no difference any more.
      return apply(text);
    });
  } catch (error) {
    if (error instanceof Problem && error.kind === 'invalid_request')
      throw new Problem('setup', error.detail, { cause: error });
    throw error;
  }
  const refused = (reason: string) => log.warn('config.file.not_applied', { file: path, reason });
  file.watch(apply, refused);
  return { reload: () => file.reload(apply, refused), close: () => file.close() };
}
