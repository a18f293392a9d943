/**
 * Calls that a person has to agree to (threats N12, N13). An approval is of one call: this principal, server, tool and arguments, the tool as it
 * is defined now, this version of the rule. It expires, and it is good for one execution, whichever process does it: what
 * takes it is one transaction, before anything is sent. A process that dies behind that leaves it `started`: whether it ran
 * nobody knows, and it never runs again by itself.
 */
import type { Clock } from '../../base/clock.ts';
import { sha256Hex } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Vault } from '../../vault/vault.ts';
import type { By } from '../policy-store.ts';
import {
  type ApprovalQuery,
  type ApprovalRow,
  type ApprovalState,
  createApprovalStore,
} from './approval-store.ts';

/** The call that is asked for. */
export type AskedCall = {
  readonly developerId: string;
  readonly keyId: string;
  readonly userId: string | null;
  readonly serverId: string;
  /** Its URL; null of a program. */
  readonly address: string | null;
  readonly method: string;
  readonly tool: string;
  /** SHA-256 of the tool's definition; null where the catalogue has none. */
  readonly definition: string | null;
  /** One text for what says the same. */
  readonly canonicalParams: string;
  /** The arguments as they came. */
  readonly arguments: string;
  readonly toolset: string;
  readonly version: number;
  readonly self: boolean;
};

export type Approval = Omit<
  ApprovalRow,
  'state' | 'self' | 'arguments_sealed' | 'binding' | 'slot' | 'rounds'
> & {
  readonly state: ApprovalState | 'expired';
  /** As they came; null where they are not kept. */
  readonly arguments: string | null;
};

export type Approvals = {
  /** The open approval of this very call, made where there is none; with `id`, that one as long as it is still of this call. */
  request(call: AskedCall, id: string | null): Promise<ApprovalRow>;
  /** Takes it, before anything is sent. `round`: 0, and one more for every answer to a question of the server's. Throws `conflict`. */
  start(id: string, round: number, actor: string): Promise<void>;
  /** Where a person decides. */
  urlOf(id: string): string;
  /** It ran to its end. */
  finish(id: string): Promise<void>;
  /** As it is once somebody decided, or after so long. */
  waitForDecision(id: string, ms: number, signal?: AbortSignal): Promise<ApprovalRow | undefined>;
  list(query: ApprovalQuery): Promise<readonly Approval[]>;
  /** Throws `not_found` and `conflict`, and `denied` where whoever called decides. */
  decide(id: string, decision: Decided, by: Decider): Promise<Approval>;
  forgetUser(developerId: string, userId: string): Promise<void>;
  prune(): Promise<void>;
};
/** `userId`: a person without a key. */
type Decider = By & { readonly keyId: string; readonly userId: string | null };
type Decided = { readonly isApproved: boolean; readonly note: string | null };

export type ApprovalsDeps = {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  /** Whether arguments are kept, sealed, for whoever decides. */
  readonly keepsArguments: boolean;
  /** Where a person decides. */
  readonly urlOf: (id: string) => string;
  /** Developers who hear of every request, beside the one whose it is. */
  readonly listeners: () => Promise<readonly string[]>;
};

/** Time for a person to decide, and for the call to be made again. */
const lifeMs = 3_600_000;
/** One developer's; beyond it nobody would read them. */
const maxPending = 1_000;
const keptMs = 90 * 86_400_000;
/** Of arguments that are kept: a person reads no more. */
const maxArguments = 65_536;
/** Notices wake whoever waits; this is for one that was lost. */
const pollMs = 5_000;

export function createApprovals(deps: ApprovalsDeps): Approvals {
  const { storage, clock } = deps;
  const store = createApprovalStore(storage, clock);
  const waitForNotice = createWaiting(storage);
  return {
    async request(call, id) {
      const binding = bindingOf(call);
      const named = id === null ? undefined : await store.find(id);
      // Of another definition, or under another version of the rule, it is asked anew.
      if (named?.binding === binding && (named.expires_at > clock.now() || isUsed(named))) return named;
      for (;;) {
        const open = await store.findOpen(binding);
        if (open !== undefined) return open;
        await add(deps, store, call, binding);
      }
    },
    async start(id, round, actor) {
      if (await store.start(id, round, actor)) return;
      throw new Problem('conflict', whyNot((await store.find(id))?.state));
    },
    urlOf: deps.urlOf,
    finish: store.finish,
    async waitForDecision(id, ms, signal) {
      const until = clock.monotonic() + ms;
      for (;;) {
        const row = await store.find(id);
        const leftMs = until - clock.monotonic();
        if (row?.state !== 'pending' || leftMs <= 0 || signal?.aborted) return row;
        await waitForNotice(id, Math.min(leftMs, pollMs), signal);
      }
    },
    list: async (query) => Promise.all((await store.list(query)).map((row) => describe(deps, row))),
    async decide(id, { isApproved, note }, by) {
      const row = await store.find(id);
      if (row === undefined) throw new Problem('not_found', 'Approval not found');
      if (isCaller(row, by) && row.self === 0)
        throw new Problem(
          'denied',
          'Whoever makes a call does not approve it: ask somebody with another key',
          {
            facts: { toolset: row.toolset },
          },
        );
      const state = isApproved ? 'approved' : 'denied';
      const { userId: _, ...who } = by;
      return describe(deps, await store.decide(id, { state, note }, who));
    },
    forgetUser: store.forgetUser,
    prune: () => store.prune(clock.now() - keptMs),
  };
}

/** Also a person with several accounts: they call by an access token, and decide in the console. */
function isCaller({ key_id, user_id, developer_id }: ApprovalRow, by: Decider): boolean {
  const isSamePerson = by.userId !== null && by.userId === user_id && by.developerId === developer_id;
  return key_id === by.keyId || isSamePerson;
}

async function add(
  { clock, vault, keepsArguments, urlOf, listeners }: ApprovalsDeps,
  store: ReturnType<typeof createApprovalStore>,
  call: AskedCall,
  binding: string,
): Promise<void> {
  const { developerId, keyId, userId, serverId, method, tool, definition, toolset, version, self } = call;
  if ((await store.countPending(developerId)) >= maxPending)
    throw new Problem('unavailable', 'Too many calls wait for approval already', { retryAfterMs: 60_000 });
  const isKept = keepsArguments && call.arguments.length <= maxArguments;
  const approval = {
    expires_at: clock.now() + lifeMs,
    developer_id: developerId,
    key_id: keyId,
    user_id: userId,
    server_id: serverId,
    method,
    tool: tool.slice(0, 200),
    definition,
    arguments_digest: sha256Hex(call.canonicalParams),
    arguments_sealed: isKept ? await vault.seal(call.arguments, sealedFor(binding)) : null,
    toolset,
    version,
    self: Number(self),
    binding,
  };
  await store.add(approval, { actor: `key:${keyId}`, url: urlOf, to: await listeners() });
}

async function describe({ clock, vault }: ApprovalsDeps, row: ApprovalRow): Promise<Approval> {
  const { self: _, arguments_sealed: sealed, binding, slot: __, rounds: ___, ...shown } = row;
  const isOver = row.expires_at <= clock.now() && (row.state === 'pending' || row.state === 'approved');
  return {
    ...shown,
    state: isOver ? 'expired' : row.state,
    arguments: sealed === null ? null : await vault.open(sealed, sealedFor(binding)),
  };
}

function bindingOf(call: AskedCall): string {
  const { developerId, keyId, userId, serverId, address, method, tool, definition } = call;
  const { canonicalParams, toolset, version } = call;
  return sha256Hex(
    JSON.stringify([
      [developerId, keyId, userId],
      [serverId, address, method, tool, definition],
      canonicalParams,
      [toolset, version],
    ]),
  );
}

function sealedFor(binding: string): readonly string[] {
  return ['approval', binding];
}

function isUsed({ state }: ApprovalRow): boolean {
  return state === 'started' || state === 'done';
}

function whyNot(state: ApprovalState | undefined): string {
  if (state === 'started')
    return 'The approval was taken, and its call may have run: look before you ask for another one';
  return state === 'done'
    ? 'The approval was used: it is good for one call'
    : 'The approval is not to be had any more';
}

/** Wakes whoever waits for a notice of one approval; the notice may come from another process. */
function createWaiting(storage: Pick<Storage, 'subscribe'>) {
  const waiting = new Map<string, Set<() => void>>();
  storage.subscribe('approvals', (id) => {
    for (const wake of waiting.get(id) ?? []) wake();
  });
  return (id: string, ms: number, signal: AbortSignal | undefined): Promise<void> =>
    new Promise((resolve) => {
      const others = waiting.get(id) ?? new Set();
      waiting.set(id, others);
      const wake = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', wake);
        others.delete(wake);
        if (others.size === 0) waiting.delete(id);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      others.add(wake);
      signal?.addEventListener('abort', wake);
    });
}
