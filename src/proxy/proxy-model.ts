import type { Readable } from 'node:stream';
import type { ByteSource } from '../outbound/outbound.ts';

/** The room's vocabulary; outside it is imported from `proxy.ts`. */

/** A body on its way in. It can be taken once. */
export type RequestBody = {
  /** As announced; null: not known before its end. */
  readonly sizeBytes: number | null;
  /** Throws or fails with `too_large` beyond the limit. */
  stream(limitBytes: number): Readable;
  read(limitBytes: number): Promise<Buffer>;
};

export type ProxyRequest = {
  readonly owner: { readonly developerId: string; readonly userId: string };
  readonly keyId: string;
  /** The developer's name, as a page for the user would show it. */
  readonly appName: string;
  readonly method: string;
  /** The request target, byte for byte. */
  readonly target: string;
  /** Name, value, name, value …, as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: RequestBody | null;
  /** Of a caller that goes away. */
  readonly signal: AbortSignal;
};

export type ProxyReply = {
  readonly status: number;
  /** Name, value, name, value … */
  readonly headers: readonly string[];
  readonly body: ByteSource | Buffer | null;
};
