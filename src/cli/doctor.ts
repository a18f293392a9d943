import { openRooms, type Rooms } from '../app.ts';
import { Problem } from '../base/problem.ts';
import { type Config, describeConfig, environment, parseConfig, unknownSettings } from '../config.ts';
import { tryListening } from '../http/http.ts';
import { createTelemetry } from '../telemetry/telemetry.ts';
import { exitCodes, print, table } from './output.ts';

type Finding = { readonly check: string; readonly ok: boolean; readonly says: string };

/** Shows the effective settings, secrets masked, and tries everything they need. */
export async function doctor(json: boolean): Promise<void> {
  const env = environment();
  const config = parseConfig(env);
  const findings: Finding[] = [
    {
      check: 'node',
      ok: Number(process.versions.node.split('.')[0]) >= 24,
      says: `${process.version} (24 or newer is needed)`,
    },
    ...unknownSettings(env).map((name) => ({
      check: 'settings',
      ok: false,
      says: `${name} is unknown: a typing error?`,
    })),
    await attempt('port', () => tryPort(config)),
    ...(await tryRooms(config)),
  ];
  const settings = describeConfig(config);
  print(json, { settings, findings }, [
    ...table(['SETTING', 'VALUE'], Object.entries(settings)),
    '',
    ...findings.map(({ check, ok, says }) => `${ok ? 'ok   ' : 'FAULT'}  ${check}: ${says}`),
  ]);
  if (findings.some(({ ok }) => !ok)) process.exitCode = exitCodes.setup;
}

async function tryRooms(config: Config): Promise<Finding[]> {
  try {
    const rooms = await openRooms(config, { telemetry: createTelemetry({ level: 'silent' }) });
    try {
      return [
        { check: 'store', ok: true, says: `${rooms.storage.dialect} opens and answers` },
        await attempt('catalogue', async () => {
          const { servers, tools } = await rooms.catalog.stats();
          return `${servers} servers, ${tools} tools`;
        }),
        await attempt('search', async () => {
          await rooms.search.start();
          return `index of ${rooms.search.stats().servers} servers built`;
        }),
        ...(config.sync ? [await attempt('registry', () => tryRegistry(config, rooms))] : []),
      ];
    } finally {
      await rooms.close();
    }
  } catch (error) {
    return [{ check: 'store or model', ok: false, says: textOf(error) }];
  }
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

async function attempt(check: string, act: () => Promise<string>): Promise<Finding> {
  try {
    return { check, ok: true, says: await act() };
  } catch (error) {
    return { check, ok: false, says: textOf(error) };
  }
}

async function tryPort({ host, port }: Config): Promise<string> {
  await tryListening(host, port);
  return `${host}:${port} is free`;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
