import { resolve } from 'node:path';
import { withRooms } from './open-services.ts';
import { busy, print } from './output.ts';

export async function backup(file: string, json: boolean): Promise<void> {
  const target = resolve(file);
  await busy('Copying the store', () => withRooms(({ storage }) => storage.backup(target)));
  print(json, { file: target }, [
    `The store is copied to ${target}; to restore, run mcprank restore with an empty store`,
  ]);
}
