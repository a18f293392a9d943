import { setTimeout as delay } from 'node:timers/promises';
import type { JsonView } from '../../base/json-scanner.ts';
import { type CallResult, type Limits, UpstreamFailure } from '../mcp-model.ts';
import {
  discoverRequest,
  refusalIn,
  shakeHands,
  supportedVersions,
  supportsModern,
} from '../messages/handshake.ts';
import { modernRevision } from '../messages/rpc-message.ts';
import type { Duplex } from '../transports/duplex.ts';

/** Which of the two requests a program is given first. */
export type Greeting = 'discover' | 'initialize';

/** `server/discover` ended or spoilt the program (the cause says how): started anew, it has to be given `initialize` first. */
export class SpoiltByDiscover extends Error {}

/**
 * Finds out which age a program speaks. The first request on the pipe pins some programs to an age, and one that was just
 * started may take long to its first answer: whichever positive answer comes is believed, a late one too, within the time
 * that a start may take.
 */
export async function greet(
  duplex: Duplex,
  greeting: Greeting,
  { limits, revision }: { readonly limits: Limits; readonly revision: string | null },
): Promise<void> {
  const totalMs = limits.firstByteMs;
  const initialize = () =>
    shakeHands((request) => duplex.ask(request, { totalMs, isModern: false }), revision ?? undefined);
  if (greeting === 'initialize') return duplex.useSession(await initialize());
  try {
    const discovered = duplex.ask(discoverRequest, { totalMs, isModern: true });
    // A program of an older age may not know how to refuse, and stay silent: then it is asked the older way beside.
    const early = await Promise.race([discovered, delay(limits.discoverMs, null, { ref: false })]);
    if (supportsModern(early)) return duplex.useModern();
    const introduction = await Promise.race([
      introductionOf(initialize()),
      ...(early === null ? [lateDiscover(discovered)] : []),
    ]);
    if (introduction === 'modern') return duplex.useModern();
    return await duplex.useSession(introduction);
  } catch (error) {
    if (!(error instanceof UpstreamFailure) || isNeverStarted(error)) throw error;
    throw new SpoiltByDiscover('the program was spoilt by server/discover', { cause: error });
  }
}

/** What an older program says of itself; −32022 that names our revision is a modern one's word. */
async function introductionOf(hello: Promise<JsonView>): Promise<JsonView | 'modern'> {
  try {
    return await hello;
  } catch (error) {
    if (namesModern(error)) return 'modern';
    throw error;
  }
}

/** Whether a program answered `initialize` and would have none of it: it may know only the revision without. */
export function wasRefused(error: unknown): boolean {
  return refusalIn(error) !== null;
}

function namesModern(error: unknown): boolean {
  return supportedVersions(refusalIn(error))?.includes(modernRevision) === true;
}

/** Settles only when the late answer is a modern one's: for any other the handshake is waited for. */
function lateDiscover(discovered: Promise<CallResult>): Promise<'modern'> {
  return new Promise((resolve) => {
    discovered.then(
      (result) => {
        if (supportsModern(result)) resolve('modern');
      },
      () => undefined,
    );
  });
}

/** Started anew, it would fail alike. */
function isNeverStarted({ reason }: UpstreamFailure): boolean {
  return reason === 'refused' || reason === 'cancelled' || reason === 'too_large';
}
