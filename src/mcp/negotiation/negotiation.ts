import type { Target } from '../mcp-model.ts';

/**
 * How a server at a URL speaks: stateless (2026-07-28), session (initialize, Streamable HTTP) or http+sse (2024-11-05).
 * The negotiation is a reducer: what was observed → what to do next. No sockets, timers or promises in it; the table of
 * its test is the protocol.
 */
export type ProtocolMode = 'stateless' | 'session' | 'http+sse';

/** The next question to ask the server, or what is settled, or that nothing works. */
export type Decision =
  | { readonly ask: 'discover' | 'initialize' | 'open-sse' }
  | { readonly settle: ProtocolMode }
  | { readonly fail: 'inconclusive' | 'no-way' };

/**
 * What an answer showed.
 * discover    modern: it speaks 2026-07-28 · older: any complete answer that is not a modern one, or silence ·
 *             inconclusive: overloaded, unauthorised, broken; says nothing about its age
 * initialize  opened · refused: it has no such handshake
 * open-sse    opened · refused: there is no such stream
 */
export type Observation =
  | { readonly asked: 'nothing'; readonly hint: Target['hint']; readonly pinned?: 'stateless' | 'session' }
  | { readonly asked: 'discover'; readonly showed: 'modern' | 'older' | 'inconclusive' }
  | { readonly asked: 'initialize'; readonly showed: 'opened' | 'refused' }
  | { readonly asked: 'open-sse'; readonly showed: 'opened' | 'refused'; readonly first: boolean };

export function negotiate(observation: Observation): Decision {
  switch (observation.asked) {
    case 'nothing':
      return firstDecision(observation);
    case 'discover':
      if (observation.showed === 'inconclusive') return { fail: 'inconclusive' };
      return observation.showed === 'modern' ? { settle: 'stateless' } : { ask: 'initialize' };
    case 'initialize':
      return observation.showed === 'opened' ? { settle: 'session' } : { ask: 'open-sse' };
    case 'open-sse':
      if (observation.showed === 'opened') return { settle: 'http+sse' };
      return observation.first ? { ask: 'discover' } : { fail: 'no-way' };
  }
}

/** A server that is pinned to a revision is not asked which it speaks. */
function firstDecision({ hint, pinned }: Extract<Observation, { asked: 'nothing' }>): Decision {
  if (pinned === 'stateless') return { settle: 'stateless' };
  if (hint === 'sse') return { ask: 'open-sse' };
  return { ask: pinned === 'session' ? 'initialize' : 'discover' };
}
