import { openServices, type Services } from '../app.ts';
import { Problem } from '../base/problem.ts';
import { type Config, environment, parseConfig } from '../config.ts';
import { createTelemetry } from '../telemetry/telemetry.ts';

type StoreUse = {
  /** The command fills a store, so it may begin one, and says so; every other one is about a store that is there. */
  readonly mayMakeStore?: true;
};

/** Opens the services for one command and closes them whatever happens; only errors are logged. */
export async function withServices<T>(
  act: (services: Services, config: Config) => Promise<T>,
  { mayMakeStore }: StoreUse = {},
): Promise<T> {
  const config = parseConfig(environment());
  const services = await openServices(config, {
    telemetry: createTelemetry({ level: config.logLevel === 'debug' ? 'debug' : 'error' }),
    onNewStore: mayMakeStore === true ? announceStore : refuseStore,
  });
  try {
    return await act(services, config);
  } finally {
    await services.close();
  }
}

/** A command in the wrong folder would else work on an empty store of its own, and its key would open nothing. */
function refuseStore(place: string): never {
  throw new Problem(
    'setup',
    `There is no store at ${place}, and none was made. A running service's is found by its own MCPRANK_DATA_DIR or DATABASE_URL; \`mcprank serve\` makes a new one`,
  );
}

export function announceStore(place: string): void {
  console.error(`mcprank: a new store is made at ${place}`);
}
