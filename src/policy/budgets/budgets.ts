import type { Clock } from '../../base/clock.ts';
import { sha256Hex } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Budget, Toolset } from '../policy-model.ts';
import { createToolUseStore } from './tool-use-store.ts';

/** Whose call of what. */
type Spending = {
  readonly developerId: string;
  readonly keyId: string;
  readonly userId?: string | undefined;
  readonly serverId: string;
  readonly tool: string;
};

export type Budgets = {
  /** Counts a call before it is made. Throws `rate_limited`. Answers with what counts its bytes afterwards. */
  spend(toolsets: readonly Toolset[], spending: Spending): Promise<(bytes: number) => Promise<void>>;
  prune(): Promise<void>;
};

const dayMs = 86_400_000;

/** What one user (a key, where there is none) may take of one tool in a day, over all processes. */
export function createBudgets({
  storage,
  clock,
}: {
  readonly storage: Storage;
  readonly clock: Clock;
}): Budgets {
  const store = createToolUseStore(storage);
  const today = () => Math.floor(clock.now() / dayMs);
  return {
    async spend(toolsets, { developerId, keyId, userId, serverId, tool }) {
      const who = sha256Hex(JSON.stringify([developerId, userId === undefined ? { keyId } : { userId }]));
      const key = { day: today(), who, server_id: serverId, tool };
      const limits = {
        calls: least(toolsets, ({ callsPerDay }) => callsPerDay),
        bytes: least(toolsets, ({ bytesPerDay }) => bytesPerDay),
      };
      if (!(await store.take(key, limits)))
        throw new Problem(
          'rate_limited',
          `The budget of ${tool.slice(0, 200)} for this day is used up (toolset ${toolsets.map(({ name }) => name).join(', ')})`,
          { retryAfterMs: (key.day + 1) * dayMs - clock.now() },
        );
      return (bytes) => store.addBytes(key, bytes);
    },
    prune: () => store.prune(today() - 1),
  };
}

function least(toolsets: readonly Toolset[], limit: (budget: Budget) => number | undefined): number {
  const said = toolsets.flatMap(({ budget }) => (budget === null ? [] : (limit(budget) ?? [])));
  return Math.min(Number.MAX_SAFE_INTEGER, ...said);
}
