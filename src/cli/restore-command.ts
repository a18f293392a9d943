import { resolve } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { environment, parseConfig } from '../config.ts';
import { openStorage } from '../storage/storage.ts';
import { announceStore } from './open-services.ts';
import { print, withSpinner } from './output.ts';

/** Into the configured store, which must be empty: also the way from SQLite to PostgreSQL and back. */
export async function restore(file: string, json: boolean): Promise<void> {
  const source = resolve(file);
  const storage = await openStorage(parseConfig(environment()), systemClock, { newStore: announceStore });
  try {
    const copied = await withSpinner('Filling the store', () => storage.restore(source));
    const rows = Object.values(copied).reduce((sum, count) => sum + count, 0);
    print(json, { file: source, store: storage.dialect, tables: copied, rows }, [
      `${rows} rows are restored from ${source}. What is sealed in them opens with the vault keys of the store they came from.`,
    ]);
  } finally {
    await storage.close();
  }
}
