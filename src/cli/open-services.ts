import { openServices, type Services } from '../app.ts';
import { type Config, environment, parseConfig } from '../config.ts';
import { createTelemetry } from '../telemetry/telemetry.ts';

/** Opens the services for one command and closes them whatever happens; only errors are logged. */
export async function withServices<T>(act: (services: Services, config: Config) => Promise<T>): Promise<T> {
  const config = parseConfig(environment());
  const services = await openServices(config, {
    telemetry: createTelemetry({ level: config.logLevel === 'debug' ? 'debug' : 'error' }),
  });
  try {
    return await act(services, config);
  } finally {
    await services.close();
  }
}
