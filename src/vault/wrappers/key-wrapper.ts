/**
 * A key-encryption key: wraps and unwraps data keys of 32 bytes. The context must be the same on both sides.
 * Unwrapping throws `unavailable` when a service does not answer, and anything else when the bytes are not right.
 */
export type KeyWrapper = {
  /** 1 to 32 of a-z, 0-9 and `-`; stands in clear in front of everything it sealed. */
  readonly kid: string;
  wrap(dataKey: Buffer, context: string): Promise<Buffer>;
  unwrap(wrapped: Buffer, context: string): Promise<Buffer>;
};

/** The IV length that AES-GCM is made for (NIST SP 800-38D, 5.2.1.1). */
export const ivBytes = 12;
/** The whole tag: Node would also accept a truncated one (threats K1). */
export const authTagLength = 16;
