import { Problem } from '../base/problem.ts';
import type { ServerRecord } from '../catalog/catalog.ts';
import { withServices } from './open-services.ts';
import { print, stripControl, table } from './output.ts';

type NewServerOptions = {
  readonly name: string;
  readonly description: string;
  readonly url?: string;
  readonly transport?: string;
};

export async function addServer(id: string, options: NewServerOptions, json: boolean): Promise<void> {
  const { url, transport, ...words } = options;
  const report = await withServices(
    ({ catalog }) => {
      const parsed = catalog.parse({
        id,
        ...words,
        ...(url === undefined ? {} : { remote_url: url }),
        ...(transport === undefined ? {} : { transport }),
      });
      if (!parsed.ok) throw new Problem('invalid_request', parsed.reason);
      return catalog.put([parsed.input], 'admin');
    },
    { mayMakeStore: true },
  );
  print(json, { id, ...report }, [`${id} is in the catalogue`]);
}

export async function listServers(options: { readonly limit: number }, json: boolean): Promise<void> {
  const servers = await withServices(async ({ catalog }) => {
    const found: ServerRecord[] = [];
    let cursor: string | undefined;
    do {
      const page = await catalog.list({
        limit: Math.min(100, options.limit - found.length),
        ...(cursor === undefined ? {} : { cursor }),
      });
      found.push(...page.servers);
      cursor = page.nextCursor;
    } while (cursor !== undefined && found.length < options.limit);
    return found;
  });
  const rows = servers.map((server) => [
    stripControl(server.id),
    server.transport,
    server.authType ?? 'none',
    server.source,
    stripControl(server.name),
  ]);
  const value = servers.map(({ id, name, remoteUrl, transport, authType, source }) => ({
    id,
    name,
    remote_url: remoteUrl,
    transport,
    auth_type: authType,
    source,
  }));
  print(json, { servers: value }, table(['ID', 'TRANSPORT', 'AUTH', 'SOURCE', 'NAME'], rows));
}

export async function removeServer(id: string, json: boolean): Promise<void> {
  await withServices(({ catalog }) => catalog.remove(id));
  print(json, { id, deleted: true }, [`${id} is removed: its id answers 410 from now on`]);
}

export async function probeServer(id: string, json: boolean): Promise<void> {
  const health = await withServices(async ({ catalog, mcp }) => {
    await catalog.get(id);
    return catalog.health.probe(id, mcp.probe);
  });
  const facts = [
    ['state', health.state],
    ['era', health.era],
    ['wants', health.auth],
    ['latency', health.latencyMs === null ? null : `${Math.round(health.latencyMs)} ms`],
    ['reason', health.reason],
    ...health.suspicions.map(({ tool, kinds }) => ['suspicious', `${tool}: ${kinds.join(', ')}`]),
  ].flatMap(([name, value]) => (value == null ? [] : [[String(name), stripControl(String(value))]]));
  print(json, { id, health }, table(['FACT', 'VALUE'], facts));
}
