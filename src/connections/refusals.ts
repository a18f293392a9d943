import { createBoundedCache } from '../base/bounded-cache.ts';

/** Bounded: whoever is refused so often that others are forgotten is refused all the same. */
const maxGrants = 10_000;
const maxProviders = 1_000;

/**
 * Refusals that name no fault: one grant's, until several are refused alike and nobody gets tokens in between. Then it is
 * the provider, or how it is set up here.
 */
export class Refusals {
  readonly #ofGrant = createBoundedCache<number>(maxGrants);
  readonly #alike = createBoundedCache<Set<string>>(maxProviders);

  /** How often this grant was refused in a row, and how many grants of the provider were, in these words. */
  add(refusal: { readonly provider: string; readonly grantId: string; readonly words: string }) {
    const { provider, grantId, words } = refusal;
    const ofGrant = (this.#ofGrant.get(grantId) ?? 0) + 1;
    this.#ofGrant.set(grantId, ofGrant);
    const key = `${provider}\n${words}`;
    const grants = this.#alike.get(key) ?? new Set();
    this.#alike.set(key, grants.size < maxGrants ? grants.add(grantId) : grants);
    return { ofGrant, grants: grants.size };
  }

  /** This grant got tokens, so it is not the provider that refuses. */
  clear(provider: string, grantId: string): void {
    this.#ofGrant.delete(grantId);
    for (const key of [...this.#alike.keys()]) if (key.startsWith(`${provider}\n`)) this.#alike.delete(key);
  }
}
