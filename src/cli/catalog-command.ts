import { progress } from '@clack/prompts';
import type { ImportProgress } from '../catalog/catalog.ts';
import { withServices } from './open-services.ts';
import { print, stripControl, withSpinner } from './output.ts';

export async function importCatalog(
  path: string,
  options: { readonly replace?: true },
  json: boolean,
): Promise<void> {
  const bar = json ? undefined : progressBar(`Importing ${path}`);
  const started = performance.now();
  const report = await withServices(
    ({ catalog, storage }) =>
      storage.longWork.track('import', (tell) =>
        catalog.importFile(path, {
          source: 'import',
          replace: options.replace === true,
          onProgress(at) {
            tell({ done: at.bytesRead, total: at.bytesTotal, unit: 'bytes' });
            bar?.show(at);
          },
        }),
      ),
    { mayMakeStore: true },
  );
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  bar?.done();
  print(json, report, [
    `${report.added} added, ${report.updated} changed, ${report.unchanged} unchanged, ${report.removed} removed; ${report.tools} tools; ${seconds} s`,
    ...(report.skipped === 0
      ? []
      : [
          `${report.skipped} rows skipped:`,
          ...report.problems.map(
            ({ file, row, reason }) => `  ${stripControl(file)}:${row} ${stripControl(reason)}`,
          ),
        ]),
  ]);
}

export async function syncCatalog(json: boolean): Promise<void> {
  const report = await withSpinner('Reading the registry', () =>
    withServices(
      ({ catalog, storage }) =>
        storage.longWork.track('registry sync', (tell) =>
          catalog.syncOnce(new AbortController().signal, (done) =>
            tell({ done, total: null, unit: 'pages' }),
          ),
        ),
      { mayMakeStore: true },
    ),
  );
  print(json, report, [
    `${report.added} added, ${report.updated} changed, ${report.unchanged} unchanged, ${report.removed} removed; ${report.pages} pages${report.resumed ? ', gone on from a break' : ''}`,
    ...(report.skipped === 0
      ? []
      : [
          `${report.skipped} entries skipped:`,
          ...report.problems.map(({ id, reason }) => `  ${stripControl(id)}: ${stripControl(reason)}`),
        ]),
  ]);
}

/** A bar on a terminal; a line every few seconds elsewhere, on the error stream. */
function progressBar(title: string) {
  if (process.stderr.isTTY !== true) return lineProgress(title);
  const bar = progress({ max: 1_000, style: 'block', output: process.stderr });
  let shown = 0;
  bar.start(title);
  return {
    show(at: ImportProgress) {
      const now = Math.floor((1_000 * at.bytesRead) / Math.max(1, at.bytesTotal));
      bar.advance(now - shown, `${title}: ${at.servers} servers, ${at.tools} tools`);
      shown = now;
    },
    done: () => bar.stop(title),
  };
}

function lineProgress(title: string) {
  let last = performance.now();
  return {
    show(at: ImportProgress) {
      if (performance.now() - last < 2_000) return;
      last = performance.now();
      console.error(
        `${title}: ${Math.floor((100 * at.bytesRead) / Math.max(1, at.bytesTotal))} %, ${at.servers} servers, ${at.tools} tools`,
      );
    },
    done: () => undefined,
  };
}
