import { backoffMs } from '../../base/retry.ts';
import type { HealthState, ProbeResult } from './health-model.ts';

const hourMs = 3_600_000;
/** A server that is well is looked at four times a day; one that wants credentials seldom changes its mind. */
const againMs: Readonly<Record<'up' | 'auth', number>> = { up: 6 * hourMs, auth: 12 * hourMs };
/** One that is not: after a quarter of an hour, then twice as long each time, at most a day. */
const retry = { firstMs: 900_000, maxMs: 24 * hourMs };
/** A share of the time, so that what was imported together is not asked together for ever. */
const jitter = 0.25;
/** A single failed probe may be our own bad moment: so many in a row are needed before it counts for the ranking. */
const failuresToBelieve: Readonly<Record<'not_mcp' | 'down', number>> = { not_mcp: 2, down: 3 };
const demotion: Readonly<Record<'not_mcp' | 'down', number>> = { not_mcp: 0.5, down: 0.5 };
/** Tool descriptions that try to steer the model do not belong on top. */
const suspectFactor = 0.7;

/** Milliseconds until the next probe; `random` in 0..1. */
export function nextProbeMs(state: HealthState, failures: number, random: number): number {
  if (state !== 'up' && state !== 'auth') return backoffMs({ ...retry, jitter }, failures, random);
  return backoffMs({ firstMs: againMs[state], maxMs: againMs[state], jitter }, 1, random);
}

/** The factor on a server's score; 1 for one that is well, or of which nothing is known. */
export function livenessOf(health: {
  readonly state: HealthState;
  readonly failures: number;
  readonly suspect: boolean;
}): number {
  return (isBelievedDead(health) ? demotion[health.state] : 1) * (health.suspect ? suspectFactor : 1);
}

/** Not after the first failure: it may have been us. */
export function isBelievedDead<H extends { readonly state: HealthState; readonly failures: number }>(
  health: H,
): health is H & { readonly state: Exclude<HealthState, 'up' | 'auth'> } {
  const { state, failures } = health;
  return state !== 'up' && state !== 'auth' && failures >= failuresToBelieve[state];
}

/** When nobody of several could be reached, it is we who are offline: such a round shows nothing about them. */
export function looksOffline(findings: readonly Pick<ProbeResult, 'unreached'>[]): boolean {
  return findings.length >= 3 && findings.every(({ unreached }) => unreached);
}
