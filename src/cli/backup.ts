import { resolve } from 'node:path';
import { busy, print } from './output.ts';
import { withRooms } from './rooms.ts';

export async function backup(file: string, json: boolean): Promise<void> {
  const target = resolve(file);
  await busy('Copying the store', () => withRooms(({ storage }) => storage.backup(target)));
  print(json, { file: target }, [
    `The store is copied to ${target}; to restore, stop mcprank and put it in place of mcprank.db in the data folder`,
  ]);
}
