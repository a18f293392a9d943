import { resolve } from 'node:path';
import { startApp, version } from '../app.ts';
import { childEnvironment, environment, parseConfig, unknownSettings } from '../config.ts';
import { ConfigFile } from '../mcp/mcp.ts';
import { createTelemetry, createTracing, type Telemetry } from '../telemetry/telemetry.ts';
import { collectAtRest } from './memory-at-rest.ts';

export async function serve({ mcpConfig }: { readonly mcpConfig?: string }): Promise<void> {
  const config = parseConfig(environment());
  const tracing = await createTracing({
    endpoint: config.otlpEndpoint,
    serviceName: config.otelServiceName,
    version,
    onError: (error) => telemetry.log.warn('telemetry.export.failed', { error }),
  });
  const telemetry: Telemetry = createTelemetry({ level: config.logLevel, tracing });
  // Before anything else, so that whoever reads a container's log from the top knows where its pages and callbacks are.
  telemetry.log.info('service.starting', {
    version,
    public_url: config.publicUrl ?? `http://${config.host}:${config.port}`,
  });
  for (const name of unknownSettings(environment()))
    telemetry.log.warn('config.setting.unknown', { name, advice: 'a typing error?' });
  const file =
    mcpConfig === undefined
      ? null
      : new ConfigFile({ path: resolve(mcpConfig), environment: environment(), log: telemetry.log });
  const app = await startApp(config, {
    telemetry,
    ...(file !== null && { localServers: file.read() }),
    childEnvironment: childEnvironment(environment()),
    environment: environment(),
    onNewStore: (place) => telemetry.log.info('storage.store.new', { place }),
  });

  console.log(`MCP Rank ${version} is listening on ${config.publicUrl ?? app.url}`);
  if (app.firstKey !== null) console.log(`Admin key, shown only this once: ${app.firstKey}`);

  collectAtRest();
  const replace = app.services.mcp.replaceLocalServers;
  file?.watch(replace);
  // Without a file there is nothing to read anew, and a terminal that went away is no reason to stop either.
  process.on('SIGHUP', () => {
    void file?.reload(replace);
    void app.reload();
  });

  let stopping = false;
  const stop = (signal: string) => {
    // A second signal means now.
    if (stopping) process.exit(1);
    stopping = true;
    file?.close();
    telemetry.log.info('service.stopping', { signal });
    app.close().then(
      () => telemetry.log.info('service.stopped'),
      (error: unknown) => {
        telemetry.log.error('service.stop_failed', { error });
        process.exitCode = 1;
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}
