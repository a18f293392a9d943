import { Problem } from '../base/problem.ts';
import type { ServerRecord } from '../catalog/catalog.ts';
import { withRooms } from './open-services.ts';
import { plain, print, table } from './output.ts';

type NewServerOptions = {
  readonly name: string;
  readonly description: string;
  readonly url?: string;
  readonly transport?: string;
};

export async function addServer(id: string, options: NewServerOptions, json: boolean): Promise<void> {
  const { url, transport, ...words } = options;
  const report = await withRooms(({ catalog }) => {
    const parsed = catalog.parse({
      id,
      ...words,
      ...(url === undefined ? {} : { remote_url: url }),
      ...(transport === undefined ? {} : { transport }),
    });
    if (!parsed.ok) throw new Problem('invalid_request', parsed.reason);
    return catalog.put([parsed.input], 'admin');
  });
  print(json, { id, ...report }, [`${id} is in the catalogue`]);
}

export async function listServers(options: { readonly limit: number }, json: boolean): Promise<void> {
  const servers = await withRooms(async ({ catalog }) => {
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
    plain(server.id),
    server.transport,
    server.authType ?? 'none',
    server.source,
    plain(server.name),
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
  await withRooms(({ catalog }) => catalog.remove(id));
  print(json, { id, deleted: true }, [`${id} is removed: its id answers 410 from now on`]);
}

export async function probeServer(id: string, json: boolean): Promise<void> {
  const health = await withRooms(async ({ catalog, mcp }) => {
    await catalog.get(id);
    return catalog.health.probe(id, mcp.inspect);
  });
  const facts = [
    ['state', health.state],
    ['era', health.era],
    ['wants', health.auth],
    ['latency', health.latencyMs === null ? null : `${Math.round(health.latencyMs)} ms`],
    ['reason', health.reason],
    ...health.suspicions.map(({ tool, kinds }) => ['suspicious', `${tool}: ${kinds.join(', ')}`]),
  ].flatMap(([name, value]) => (value == null ? [] : [[String(name), plain(String(value))]]));
  print(json, { id, health }, table(['FACT', 'VALUE'], facts));
}
