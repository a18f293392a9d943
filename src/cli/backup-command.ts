import { resolve } from 'node:path';
import { withServices } from './open-services.ts';
import { print, withSpinner } from './output.ts';
import { typedCommand } from './typed-command.ts';

export async function backup(file: string, json: boolean): Promise<void> {
  const target = resolve(file);
  await withSpinner('Copying the store', () => withServices(({ storage }) => storage.backup(target)));
  print(json, { file: target }, [
    `The store is copied to ${target}; to restore, run ${typedCommand()} restore with an empty store`,
  ]);
}
