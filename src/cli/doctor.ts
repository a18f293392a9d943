import { setTimeout as delay } from 'node:timers/promises';
import { openRooms, type Rooms } from '../app.ts';
import { Problem } from '../base/problem.ts';
import { type Config, describeConfig, environment, parseConfig, unknownSettings } from '../config.ts';
import { tryListening } from '../http/http.ts';
import { createTelemetry } from '../telemetry/telemetry.ts';
import { busy, exitCodes, print, table } from './output.ts';

/** `note`: worth knowing, and no reason not to start. */
type Level = 'ok' | 'note' | 'fault';
type Finding = { readonly check: string; readonly level: Level; readonly says: string };

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
    return [
      await attempt('store', async () => `${rooms.storage.dialect} opens and answers`),
      ...(rooms.redis === null ? [] : [await attempt('redis', () => tryRedis(rooms), 'note')]),
      await attempt('catalogue', async () => {
        const { servers, tools } = await rooms.catalog.stats();
        return `${servers} servers, ${tools} tools`;
      }),
      await attempt('search', async () => {
        await busy('Building the index', rooms.search.start);
        return `index of ${rooms.search.stats().servers} servers built`;
      }),
      // Offline is a way to live: the sync tries again by itself.
      ...(config.sync ? [await attempt('registry', () => tryRegistry(config, rooms), 'note')] : []),
    ];
  } finally {
    await rooms.close();
  }
}

/** It connects in the background: worth two seconds of patience. */
async function tryRedis({ redis }: Rooms): Promise<string> {
  for (let tries = 0; tries < 40 && redis?.isUp() === false; tries++) await delay(50);
  if (redis?.isUp() === true) return 'answers: limits are shared';
  throw new Problem('unavailable', 'does not answer: every process counts its own limits until it does');
}

async function tryRegistry({ registryUrl }: Config, { outbound }: Rooms): Promise<string> {
  const { status } = await outbound.request({
    method: 'GET',
    url: `${registryUrl}/v0.1/servers?limit=1`,
    timeoutMs: 5_000,
  });
  if (status !== 200) throw new Problem('upstream_error', `${registryUrl} answers ${status}`);
  return `${registryUrl} answers`;
}

async function tryPort({ host, port }: Config): Promise<string> {
  await tryListening(host, port);
  return `${host}:${port} is free`;
}

async function attempt(
  check: string,
  act: () => Promise<string>,
  otherwise: Level = 'fault',
): Promise<Finding> {
  try {
    return { check, level: 'ok', says: await act() };
  } catch (error) {
    return { check, level: otherwise, says: textOf(error) };
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
