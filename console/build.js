/**
 * Builds the console into console/dist (`npm run console`; `npm ci` does it too). Plain JavaScript, because an install
 * may run it with whatever Node is there. As part of an install (the script `prepare`) a build that cannot run says so in one line
 * and fails nothing: the service works without its console, and a production install has what was built before.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const lenient = process.env.npm_lifecycle_event === 'prepare';
const root = fileURLToPath(new URL('.', import.meta.url));

try {
  const { build } = await import('vite');
  await build({
    root,
    configFile: fileURLToPath(new URL('vite.config.ts', import.meta.url)),
    logLevel: 'warn',
  });
} catch (error) {
  if (!lenient) throw error;
  const [reason] = String(error instanceof Error ? error.message : error).split('\n');
  if (!existsSync(new URL('dist/index.html', import.meta.url)))
    process.stderr.write(`The console was not built (${reason}); npm run console builds it.\n`);
}
