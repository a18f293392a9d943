import { Problem } from './problem.ts';

/** The `Idempotency-Key` header, or null when there is none. */
export function idempotencyKey(value: unknown): string | null {
  if (value === undefined) return null;
  if (typeof value === 'string' && /^[\x21-\x7e]{1,200}$/.test(value)) return value;
  throw new Problem('invalid_request', 'idempotency-key: expected 1 to 200 visible characters');
}
