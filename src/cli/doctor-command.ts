import { openRooms, type Rooms } from '../app.ts';
import { type Config, describeConfig, environment, parseConfig, unknownSettings } from '../config.ts';
import { attempt, checkup, type Finding } from '../diagnostics.ts';
import { tryListening } from '../http/http.ts';
import { createTelemetry } from '../telemetry/telemetry.ts';
import { busy, exitCodes, print, table } from './output.ts';

/** Shows the effective settings, secrets masked, and tries everything they need. */
export async function doctor(json: boolean): Promise<void> {
  const env = environment();
  const config = parseConfig(env);
  const findings: Finding[] = [
    await attempt('node', async () => `${process.version}`),
    ...unknownSettings(env).map(
      (name): Finding => ({ check: 'settings', level: 'note', says: `${name} is unknown: a typing error?` }),
    ),
    await attempt('port', () => tryPort(config)),
    ...(await tryRooms(config)),
  ];
  const settings = describeConfig(config);
  print(json, { settings, findings }, [
    ...table(['SETTING', 'VALUE'], Object.entries(settings)),
    '',
    ...findings.map(({ check, level, says }) => `${level.toUpperCase().padEnd(5)}  ${check}: ${says}`),
  ]);
  if (findings.some(({ level }) => level === 'fault')) process.exitCode = exitCodes.setup;
}

async function tryRooms(config: Config): Promise<Finding[]> {
  let rooms: Rooms;
  try {
    rooms = await openRooms(config, { telemetry: createTelemetry({ level: 'silent' }) });
  } catch (error) {
    return [{ check: 'store and model', level: 'fault', says: textOf(error) }];
  }
  try {
    const built = await attempt('index', async () => {
      await busy('Building the index', rooms.search.start);
      return '';
    });
    const findings = await checkup(config, rooms);
    return built.level === 'ok' ? findings : [...findings, built];
  } finally {
    await rooms.close();
  }
}

async function tryPort({ host, port }: Config): Promise<string> {
  await tryListening(host, port);
  return `${host}:${port} is free`;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
