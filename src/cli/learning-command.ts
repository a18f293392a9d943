import { open } from 'node:fs/promises';
import { withServices } from './open-services.ts';
import { print, withSpinner } from './output.ts';

/** A new file only its owner may read: queries are what users asked for. */
export async function exportLearning(file: string, json: boolean): Promise<void> {
  const outcomes = await withServices(({ learning }) =>
    withSpinner('Writing', async () => {
      const out = await open(file, 'w', 0o600);
      try {
        let written = 0;
        for await (const page of learning.log()) {
          await out.write(page.map((outcome) => `${JSON.stringify(outcome)}\n`).join(''));
          written += page.length;
        }
        await out.sync();
        return written;
      } finally {
        await out.close();
      }
    }),
  );
  print(json, { file, outcomes }, [`${outcomes} outcomes in ${file}`]);
}
