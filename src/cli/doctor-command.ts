import { openServices, type Services } from '../app.ts';
import { type Config, describeConfig, environment, parseConfig, unknownSettings } from '../config.ts';
import { attempt, type Diagnostic, diagnose } from '../diagnostics.ts';
import { tryListening } from '../http/http.ts';
import { createTelemetry } from '../telemetry/telemetry.ts';
import { exitCodes, print, table, withSpinner } from './output.ts';

/** Shows the effective settings, secrets masked, and tries everything they need. */
export async function doctor(json: boolean): Promise<void> {
  const env = environment();
  const config = parseConfig(env);
  const findings: Diagnostic[] = [
    await attempt('node', async () => `${process.version}`),
    ...unknownSettings(env).map(
      (name): Diagnostic => ({
        check: 'settings',
        level: 'warning',
        message: `${name} is unknown: a typing error?`,
      }),
    ),
    await attempt('port', () => tryPort(config)),
    ...(await tryServices(config)),
  ];
  const settings = describeConfig(config);
  print(json, { settings, findings }, [
    ...table(['SETTING', 'VALUE'], Object.entries(settings)),
    '',
    ...findings.map(({ check, level, message }) => `${level.toUpperCase().padEnd(7)}  ${check}: ${message}`),
  ]);
  if (findings.some(({ level }) => level === 'error')) process.exitCode = exitCodes.setup;
}

async function tryServices(config: Config): Promise<Diagnostic[]> {
  let services: Services;
  try {
    services = await openServices(config, { telemetry: createTelemetry({ level: 'silent' }) });
  } catch (error) {
    return [{ check: 'store and model', level: 'error', message: textOf(error) }];
  }
  try {
    const built = await attempt('index', async () => {
      await withSpinner('Building the index', services.search.start);
      return '';
    });
    const findings = await diagnose(config, services);
    return built.level === 'ok' ? findings : [...findings, built];
  } finally {
    await services.close();
  }
}

async function tryPort({ host, port }: Config): Promise<string> {
  await tryListening(host, port);
  return `${host}:${port} is free`;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
