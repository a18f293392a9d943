import { Problem } from '../base/problem.ts';
import type { Config } from '../config.ts';
import type { Diagnostic } from '../diagnostics.ts';
import { tryListening } from '../http/http.ts';
import type { Identity } from '../identity/identity.ts';
import { createOutbound } from '../outbound/outbound.ts';
import type { Storage } from '../storage/storage.ts';

/** What a service is known by: it publishes the signing keys of its store. */
type OwnStore = {
  readonly identity: Pick<Identity, 'jwks'>;
  readonly storage: Pick<Storage, 'presence' | 'place'>;
};

/**
 * Is the port free, or taken by the service of this very store, by one of another store, or by a stranger? `own` is null where
 * the store cannot be opened.
 */
export async function checkPort(config: Config, own: OwnStore | null): Promise<Diagnostic> {
  const place = `${config.host}:${config.port}`;
  try {
    await tryListening(config.host, config.port);
    return { check: 'port', level: 'ok', message: `${place} is free` };
  } catch (error) {
    const isTaken = error instanceof Problem && (error.cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
    if (!isTaken) return { check: 'port', level: 'error', message: String((error as Error).message) };
  }
  const there = await keysPublishedAt(config);
  if (there === null) return strange(`${place} is in use by a program that is no mcprank`);
  if (own !== null && (await isOwn(own, there)))
    return { check: 'port', level: 'ok', message: `${place}: the service of this store is running` };
  return strange(`${place} is in use by an mcprank with another store than ${own?.storage.place ?? 'this'}`);
}

function strange(message: string): Diagnostic {
  return {
    check: 'port',
    level: 'error',
    message: `${message}; stop it, or choose another port with MCPRANK_PORT`,
  };
}

async function isOwn({ identity, storage }: OwnStore, there: ReadonlySet<string>): Promise<boolean> {
  if ((await storage.presence.serving()).length === 0) return false;
  return [...keyIdsIn((await identity.jwks()).body)].some((kid) => there.has(kid));
}

/** Key ids of the service at the configured port; null where no mcprank answers. */
async function keysPublishedAt({ host, port }: Config): Promise<ReadonlySet<string> | null> {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host;
  const outbound = createOutbound({ allowUpstreams: [], trusts: () => true });
  try {
    const { status, body } = await outbound.request({
      method: 'GET',
      url: `http://${reachable}:${port}/.well-known/jwks.json`,
      timeoutMs: 3_000,
    });
    return status === 200 ? keyIdsIn(body.toString()) : null;
  } catch {
    return null;
  } finally {
    await outbound.close();
  }
}

function keyIdsIn(jwks: string): ReadonlySet<string> {
  const { keys } = JSON.parse(jwks) as { keys: readonly { kid: string }[] };
  return new Set(keys.map(({ kid }) => kid));
}
