import { Problem } from '../base/problem.ts';
import type { McpHttpRequest } from './door-request.ts';

/**
 * DNS rebinding: a page of somebody else's name must not reach a service on this machine through its visitor's browser
 * (2025-11-25, "Security warning"). `hosts` are names without ports. Throws `invalid_request`.
 */
export function refuseForeign(
  { headers }: McpHttpRequest,
  hosts: readonly string[],
  isLoopbackOnly: boolean,
): void {
  if (isLoopbackOnly && !isOneOf(`http://${headers.host ?? ''}`, hosts))
    throw new Problem('invalid_request', 'host: not a name of this service');
  if (headers.origin !== undefined && !isOneOf(headers.origin, hosts))
    throw new Problem('invalid_request', 'origin: not a page of this service');
}

function isOneOf(url: string, hosts: readonly string[]): boolean {
  const hostname = URL.parse(url)?.hostname;
  return hostname !== undefined && hosts.includes(hostname);
}
