import { homedir } from 'node:os';
import { type Access, operatorDeveloper } from '../access/access.ts';
import { sha256Hex } from '../base/id.ts';
import { Problem } from '../base/problem.ts';
import { type Config, environment } from '../config.ts';
import { type ClientName, clientNames, clients } from './client-entries.ts';
import { readSettings, type SettingsFile, writeSettings } from './json-settings.ts';
import { withServices } from './open-services.ts';
import { print } from './output.ts';
import { typedCommand } from './typed-command.ts';

/** Ours among the servers of the client. */
const entryName = 'mcprank';

type Entries = Record<string, unknown>;

/** Writes the entry of this service, with a key of its own, into the settings of a client; or takes both back. */
export async function connectClient(name: string, undo: boolean, json: boolean): Promise<void> {
  const client = clientNames.find((known) => known === name);
  if (client === undefined)
    throw new Problem('invalid_request', `${name}: expected one of ${clientNames.join(', ')}`);
  await withServices(async ({ access, storage }, config) => {
    const machine = { platform: process.platform, home: homedir(), environment: environment() };
    const settings = readSettings(clients[client].file(machine));
    const act = undo ? takeBack : give;
    const { keyId, said } = await act(client, settings, { access, config });
    print(json, { client, file: settings.path, key_id: keyId, undone: undo, store: storage.place }, [
      ...said,
      `Store: ${storage.place}`,
    ]);
  });
}

type Context = { readonly access: Access; readonly config: Config };
type Done = { readonly keyId: string | null; readonly said: readonly string[] };

async function give(name: ClientName, settings: SettingsFile, { access, config }: Context): Promise<Done> {
  const { title, entry } = clients[name];
  const entries = entriesOf(name, settings);
  const url = `${urlOf(config)}/mcp`;
  // The operator's own: it sees the programs of --mcp-config, and may not administer.
  const made = await access.createKey({
    developer: operatorDeveloper,
    name: `connect ${name}`,
    tier: 'enterprise',
    scopes: ['search', 'invocations', 'mcp'],
  });
  try {
    write(name, settings, { ...entries, [entryName]: entry(url, `Bearer ${made.key}`) });
  } catch (error) {
    await access.revokeKey(made.keyId);
    throw error;
  }
  await revokeKeyIn(entries[entryName], access);
  return {
    keyId: made.keyId,
    said: [
      `${title} reaches ${url} by the entry "${entryName}" in ${settings.path}, with ${made.keyId}.`,
      `Restart ${title}. \`${typedCommand()} connect ${name} --undo\` takes the entry and the key back.`,
    ],
  };
}

async function takeBack(name: ClientName, settings: SettingsFile, { access }: Context): Promise<Done> {
  const { [entryName]: ours, ...others } = entriesOf(name, settings);
  if (ours === undefined)
    throw new Problem('not_found', `${settings.path} has no entry "${entryName}": nothing was changed`);
  write(name, settings, others);
  const keyId = await revokeKeyIn(ours, access);
  const key = keyId === null ? 'its key is none of this store' : `${keyId} is revoked`;
  return { keyId, said: [`The entry "${entryName}" is gone from ${settings.path}; ${key}.`] };
}

function entriesOf(name: ClientName, { content, path }: SettingsFile): Entries {
  const entries = content[clients[name].member] ?? {};
  if (typeof entries === 'object' && entries !== null && !Array.isArray(entries)) return entries as Entries;
  throw new Problem(
    'invalid_request',
    `${path}: "${clients[name].member}" is no object; it was left as it is`,
  );
}

function write(name: ClientName, settings: SettingsFile, entries: Entries): void {
  const { member } = clients[name];
  writeSettings({ ...settings, content: { ...settings.content, [member]: entries } });
}

/** The key that an entry of ours carries is for that entry alone. */
async function revokeKeyIn(entry: unknown, access: Access): Promise<string | null> {
  const text = /sk_mcp_rank_[0-9a-f]{32}/.exec(JSON.stringify(entry) ?? '')?.[0];
  if (text === undefined) return null;
  const key = (await access.listKeys()).find(({ digest }) => digest === sha256Hex(text));
  // A key that somebody put there by hand may be in use elsewhere.
  if (key?.name.startsWith('connect ') !== true) return null;
  if (key.revokedAt === null) await access.revokeKey(key.keyId);
  return key.keyId;
}

function urlOf({ publicUrl, host, port }: Config): string {
  if (publicUrl !== null) return publicUrl;
  if (port === 0)
    throw new Problem('invalid_request', 'MCPRANK_PORT is 0, any: set it, or MCPRANK_PUBLIC_URL');
  return `http://${host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host}:${port}`;
}
