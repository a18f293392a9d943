/**
 * Does what the settings name work? One answer for `mcprank doctor` and for the console's settings page.
 *
 * Promises: nothing is changed, nothing secret is told, and a check that fails is a diagnostic, never an exception. A thing that
 * the service lives well without (the registry, the shared limits) is a warning, not an error.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Problem } from './base/problem.ts';
import type { Catalog } from './catalog/catalog.ts';
import type { Config } from './config.ts';
import type { Outbound } from './outbound/outbound.ts';
import type { Search } from './search/search.ts';
import type { Storage } from './storage/storage.ts';

/** `warning`: worth knowing, and no reason not to start. */
export type Level = 'ok' | 'warning' | 'error';
export type Diagnostic = { readonly check: string; readonly level: Level; readonly message: string };

type RedisState = { isUp(): boolean; fault(): string | null };

export type DiagnosticTargets = {
  readonly storage: Pick<Storage, 'dialect' | 'place' | 'ping' | 'presence'>;
  readonly redis: RedisState | null;
  readonly catalog: Pick<Catalog, 'stats'>;
  readonly search: Pick<Search, 'stats' | 'ready'>;
  readonly outbound: Pick<Outbound, 'request'>;
};

export async function diagnose(config: Config, services: DiagnosticTargets): Promise<Diagnostic[]> {
  const { catalog, redis, search, storage } = services;
  return Promise.all([
    attempt('store', async () => {
      await storage.ping();
      return `${storage.place} opens and answers`;
    }),
    redis === null
      ? attempt('limits', () => tryLimits(storage), 'warning')
      : attempt('redis', () => tryRedis(redis), 'warning'),
    attempt('catalogue', async () => {
      const { servers, tools } = await catalog.stats();
      return `${servers} servers, ${tools} tools`;
    }),
    attempt('search', async () => {
      if (!search.ready()) throw new Problem('unavailable', 'the index is being built');
      return `index of ${search.stats().servers} servers built`;
    }),
    // Offline is a way to live: the sync tries again by itself.
    ...(config.sync ? [attempt('registry', () => tryRegistry(config, services), 'warning')] : []),
  ]);
}

export async function attempt(
  check: string,
  act: () => Promise<string>,
  otherwise: Level = 'error',
): Promise<Diagnostic> {
  try {
    return { check, level: 'ok', message: await act() };
  } catch (error) {
    return { check, level: otherwise, message: error instanceof Error ? error.message : String(error) };
  }
}

/** It connects in the background: worth two seconds of patience. */
async function tryRedis(redis: RedisState): Promise<string> {
  for (let tries = 0; tries < 40 && !redis.isUp(); tries++) await delay(50);
  if (redis.isUp()) return 'answers, and a script that writes runs: limits are shared';
  throw new Problem(
    'unavailable',
    `every process counts its own limits until this is mended: ${redis.fault()}`,
  );
}

/** Without Redis each process counts for itself, also where they share a store. */
async function tryLimits({ presence }: DiagnosticTargets['storage']): Promise<string> {
  const { length: processes } = await presence.serving();
  if (processes < 2) return 'counted by the one process';
  throw new Problem(
    'unavailable',
    `${processes} processes serve from this store and each counts for itself: set REDIS_URL, or divide the tiers`,
  );
}

async function tryRegistry({ registryUrl }: Config, { outbound }: DiagnosticTargets): Promise<string> {
  const { status } = await outbound.request({
    method: 'GET',
    url: `${registryUrl}/v0.1/servers?limit=1`,
    timeoutMs: 5_000,
  });
  if (status !== 200) throw new Problem('upstream_error', `${registryUrl} answers ${status}`);
  return `${registryUrl} answers`;
}
