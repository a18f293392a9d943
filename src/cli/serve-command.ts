import { readFileSync } from 'node:fs';
import { startApp, version } from '../app.ts';
import { Problem } from '../base/problem.ts';
import { childEnvironment, environment, parseConfig, unknownSettings } from '../config.ts';
import { type LocalServer, parseMcpConfig } from '../mcp/mcp.ts';
import { createTelemetry } from '../telemetry/telemetry.ts';

export async function serve({ mcpConfig }: { readonly mcpConfig?: string }): Promise<void> {
  const config = parseConfig(environment());
  const telemetry = createTelemetry({ level: config.logLevel });
  for (const name of unknownSettings(environment()))
    telemetry.log.warn('config.setting.unknown', { name, advice: 'a typing error?' });
  const app = await startApp(config, {
    telemetry,
    localServers: mcpConfig === undefined ? [] : readMcpConfig(mcpConfig),
    childEnvironment: childEnvironment(environment()),
  });

  console.log(`MCP Rank ${version} is listening on ${config.publicUrl ?? app.url}`);
  if (app.firstKey !== null) console.log(`Admin key, shown only this once: ${app.firstKey}`);

  let stopping = false;
  const stop = (signal: string) => {
    // A second signal means now.
    if (stopping) process.exit(1);
    stopping = true;
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

function readMcpConfig(file: string): readonly LocalServer[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Problem(
      'setup',
      `--mcp-config: ${file} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'error'})`,
      { cause },
    );
  }
  return parseMcpConfig(text);
}
