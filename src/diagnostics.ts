/**
 * Does what the settings name work? One answer for `mcprank doctor` and for the console's settings page.
 *
 * Promises: nothing is changed, nothing secret is told, and a check that fails is a finding, never an error. A thing that
 * the service lives well without (the registry, the shared limits) is a note, not a fault.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Problem } from './base/problem.ts';
import type { Catalog } from './catalog/catalog.ts';
import type { Config } from './config.ts';
import type { Outbound } from './outbound/outbound.ts';
import type { Search } from './search/search.ts';
import type { Storage } from './storage/storage.ts';

/** `note`: worth knowing, and no reason not to start. */
export type Level = 'ok' | 'note' | 'fault';
export type Finding = { readonly check: string; readonly level: Level; readonly says: string };

export type Examined = {
  readonly storage: Pick<Storage, 'dialect' | 'ping'>;
  readonly redis: { isUp(): boolean } | null;
  readonly catalog: Pick<Catalog, 'stats'>;
  readonly search: Pick<Search, 'stats' | 'ready'>;
  readonly outbound: Pick<Outbound, 'request'>;
};

export async function checkup(config: Config, rooms: Examined): Promise<Finding[]> {
  const { catalog, redis, search, storage } = rooms;
  return Promise.all([
    attempt('store', async () => {
      await storage.ping();
      return `${storage.dialect} opens and answers`;
    }),
    ...(redis === null ? [] : [attempt('redis', () => tryRedis(redis), 'note')]),
    attempt('catalogue', async () => {
      const { servers, tools } = await catalog.stats();
      return `${servers} servers, ${tools} tools`;
    }),
    attempt('search', async () => {
      if (!search.ready()) throw new Problem('unavailable', 'the index is being built');
      return `index of ${search.stats().servers} servers built`;
    }),
    // Offline is a way to live: the sync tries again by itself.
    ...(config.sync ? [attempt('registry', () => tryRegistry(config, rooms), 'note')] : []),
  ]);
}

export async function attempt(
  check: string,
  act: () => Promise<string>,
  otherwise: Level = 'fault',
): Promise<Finding> {
  try {
    return { check, level: 'ok', says: await act() };
  } catch (error) {
    return { check, level: otherwise, says: error instanceof Error ? error.message : String(error) };
  }
}

/** It connects in the background: worth two seconds of patience. */
async function tryRedis(redis: { isUp(): boolean }): Promise<string> {
  for (let tries = 0; tries < 40 && !redis.isUp(); tries++) await delay(50);
  if (redis.isUp()) return 'answers: limits are shared';
  throw new Problem('unavailable', 'does not answer: every process counts its own limits until it does');
}

async function tryRegistry({ registryUrl }: Config, { outbound }: Examined): Promise<string> {
  const { status } = await outbound.request({
    method: 'GET',
    url: `${registryUrl}/v0.1/servers?limit=1`,
    timeoutMs: 5_000,
  });
  if (status !== 200) throw new Problem('upstream_error', `${registryUrl} answers ${status}`);
  return `${registryUrl} answers`;
}
