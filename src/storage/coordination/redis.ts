import { createClient } from '@redis/client';
import type { Secret } from '../../base/secret.ts';

/** A script that Redis runs as one step: nothing of another process comes between its lines. */
export type Script = { readonly text: string; readonly sha1: string };

/** What many processes share beside the database, and can do without for a while. */
export type Redis = {
  /** Rejects at once when Redis is away, and after `timeoutMs` when it is slow. */
  run(script: Script, key: string, args: readonly (string | number)[]): Promise<readonly string[]>;
  isUp(): boolean;
  close(): Promise<void>;
};

/** A script takes a fraction of a millisecond; who waits longer than this is better served without. */
const timeoutMs = 150;
const connectTimeoutMs = 2_000;
/** Between two tries to come back. */
const reconnectMs = 500;

/** Connects in the background: a start does not wait for Redis, and neither does anything else. */
export function openRedis(url: Secret, onChange: (up: boolean, cause: unknown) => void): Redis {
  const client = createClient({
    url: url.reveal(),
    disableOfflineQueue: true,
    socket: { connectTimeout: connectTimeoutMs, reconnectStrategy: () => reconnectMs },
  });
  let up = false;
  const turn = (now: boolean, cause: unknown) => {
    if (now === up) return;
    up = now;
    onChange(up, cause);
  };
  client.on('ready', () => turn(true, null));
  client.on('error', (error: unknown) => turn(false, error));
  client.on('end', () => turn(false, new Error('the connection was closed')));
  client.connect().catch((error: unknown) => onChange(false, error));

  const evaluate = async ({ text, sha1 }: Script, key: string, args: readonly (string | number)[]) => {
    const options = { keys: [key], arguments: args.map(String) };
    try {
      return await client.evalSha(sha1, options);
    } catch (error) {
      // A Redis that was restarted has forgotten its scripts.
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return client.eval(text, options);
    }
  };
  return {
    async run(script, key, args) {
      if (!up) throw new Error('Redis is away');
      const late = Promise.withResolvers<never>();
      const isLate = () => late.reject(new Error(`Redis did not answer in ${timeoutMs} ms`));
      // What has come meanwhile is read first: when this process was held up itself, Redis was not late.
      const timer = setTimeout(() => setImmediate(isLate), timeoutMs);
      try {
        const answer = await Promise.race([evaluate(script, key, args), late.promise]);
        return (answer as unknown[]).map(String);
      } finally {
        clearTimeout(timer);
      }
    },
    isUp: () => up,
    async close() {
      if (client.isOpen) client.destroy();
    },
  };
}
