import { openServices } from '../app.ts';
import { Problem } from '../base/problem.ts';
import { environment, parseConfig } from '../config.ts';
import { createTelemetry } from '../telemetry/telemetry.ts';
import { days, hourMs } from './demo-script.ts';
import { createDemoClock, playWeek } from './demo-traffic.ts';
import { print, withSpinner } from './output.ts';
import { typedCommand } from './typed-command.ts';

/** Fills a new store with a week of plausible traffic, so that every page of the console shows what it is for. */
export async function demo(json: boolean): Promise<void> {
  const config = parseConfig(environment());
  const end = Date.now();
  const clock = createDemoClock(end - days * 24 * hourMs);
  let isNew = false;
  const services = await openServices(config, {
    clock,
    telemetry: createTelemetry({ level: config.logLevel === 'debug' ? 'debug' : 'error' }),
    onNewStore() {
      isNew = true;
    },
  });
  const { place } = services.storage;
  try {
    // Made-up traffic teaches the ranking and stands in the audit trail: nobody wants it among their own.
    if (!isNew)
      throw new Problem(
        'conflict',
        `${place} is not empty: a demo wants a store of its own, for example MCPRANK_DATA_DIR=./demo`,
      );
    const key = await services.access.ensureAdminKey(config.adminKey);
    await services.catalog.loadStarter();
    await services.policy.start();
    const played = await withSpinner(`Playing ${days} days`, async () => {
      await services.search.start();
      return playWeek(services, clock, end);
    });
    print(json, { store: place, admin_key: key, ...played }, [
      `${played.searches} searches and ${played.calls} calls (${played.failures} failed) of ${days} days are in ${place}`,
      ...(key === null ? [] : [`Admin key, shown only this once: ${key}`]),
      `Now: ${typedCommand()} serve, with the same MCPRANK_DATA_DIR or DATABASE_URL`,
    ]);
  } finally {
    await services.close();
  }
}
