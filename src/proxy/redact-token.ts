import type { ByteSink, ByteSource } from '../outbound/outbound.ts';

/**
 * An error body of the provider may quote the credential that it was sent (C5). Each occurrence becomes as many
 * asterisks, also where it is cut in two between pieces; lengths stay, so nothing else has to change.
 */
export function redactBody(source: ByteSource, secret: string): ByteSource {
  const needle = Buffer.from(secret);
  let held: Buffer = Buffer.alloc(0);
  return {
    ...source,
    flow: (sink: ByteSink) =>
      source.flow({
        data(chunk) {
          const bytes = redacted(held.length === 0 ? chunk : Buffer.concat([held, chunk]), needle);
          const keep = beginningLength(bytes, needle);
          held = Buffer.from(bytes.subarray(bytes.length - keep));
          return keep === bytes.length || sink.data(bytes.subarray(0, bytes.length - keep));
        },
        end(failure) {
          if (failure === null && held.length > 0) sink.data(held);
          sink.end(failure);
        },
      }),
  };
}

export function redactText(text: string, secret: string): string {
  return text.replaceAll(secret, '*'.repeat(secret.length));
}

function redacted(bytes: Buffer, needle: Buffer): Buffer {
  let at = bytes.indexOf(needle);
  if (at === -1) return bytes;
  // The piece belongs to whoever read it: change a copy.
  const copy = Buffer.from(bytes);
  for (; at !== -1; at = copy.indexOf(needle, at)) copy.fill('*', at, at + needle.length);
  return copy;
}

/** How many bytes at the end may be the beginning of the secret. */
function beginningLength(bytes: Buffer, needle: Buffer): number {
  for (let length = Math.min(needle.length - 1, bytes.length); length > 0; length--)
    if (bytes.subarray(bytes.length - length).equals(needle.subarray(0, length))) return length;
  return 0;
}
