import { isHostAmong } from '../base/own-hosts.ts';
import { Problem } from '../base/problem.ts';
import type { McpHttpRequest } from './door-request.ts';

/**
 * DNS rebinding: a page of somebody else's name must not speak to us through its visitor's browser (2025-11-25, "Security
 * warning"). `hosts` are names without ports. Throws `invalid_request`.
 */
export function refuseForeignPage({ headers }: McpHttpRequest, hosts: readonly string[]): void {
  if (headers.origin !== undefined && !isHostAmong(headers.origin, hosts))
    throw new Problem('invalid_request', 'origin: not a page of this service');
}
