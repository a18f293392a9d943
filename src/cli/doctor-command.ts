import { openServices, type Services } from '../app.ts';
import { type Config, describeConfig, environment, parseConfig, unknownSettings } from '../config.ts';
import { attempt, type Diagnostic, diagnose } from '../diagnostics.ts';
import { createTelemetry } from '../telemetry/telemetry.ts';
import { exitCodes, print, table, withSpinner } from './output.ts';
import { checkPort } from './port-check.ts';

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

class NoStoreYet extends Error {}

async function tryServices(config: Config): Promise<Diagnostic[]> {
  let services: Services;
  try {
    services = await openServices(config, {
      telemetry: createTelemetry({ level: 'silent' }),
      onNewStore(place) {
        throw new NoStoreYet(`none at ${place}: the first start makes it`);
      },
    });
  } catch (error) {
    const fault: Diagnostic =
      error instanceof NoStoreYet
        ? { check: 'store', level: 'warning', message: error.message }
        : { check: 'store and model', level: 'error', message: textOf(error) };
    return [await checkPort(config, null), fault];
  }
  try {
    const built = await attempt('index', async () => {
      await withSpinner('Building the index', services.search.start);
      return '';
    });
    const findings = [await checkPort(config, services), ...(await diagnose(config, services))];
    return built.level === 'ok' ? findings : [...findings, built];
  } finally {
    await services.close();
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
