import { setTimeout as delay } from 'node:timers/promises';
import type { OutboxRow, WebhookStore } from './webhook-store.ts';

/** An app that is slow holds two of its own events, and nobody else's. */
const perDeveloper = 2;
/** Posts of all developers at once: each is a socket. */
const inAll = 200;
const rowsPerRead = 100;
/** While something is under way: how often it is asked whether something else fell due. */
const pollMs = 250;

/** Posts what is due, and what falls due meanwhile, until nothing is under way any more. */
export class DeliveryRun {
  readonly #store: Pick<WebhookStore, 'due'>;
  readonly #deliver: (event: OutboxRow) => Promise<void>;
  readonly #signal: AbortSignal;
  /** Events under way, by developer. */
  readonly #underWay = new Map<string, Set<string>>();
  readonly #running = new Set<Promise<void>>();
  readonly #failures: unknown[] = [];

  constructor(
    store: Pick<WebhookStore, 'due'>,
    deliver: (event: OutboxRow) => Promise<void>,
    signal: AbortSignal,
  ) {
    this.#store = store;
    this.#deliver = deliver;
    this.#signal = signal;
  }

  /** Throws what a delivery threw first, once the others are through. */
  async finish(): Promise<void> {
    try {
      for (;;) {
        while (this.#mayStart() && (await this.#startDue()));
        if (this.#running.size === 0) break;
        await this.#somethingEnds();
      }
    } finally {
      await Promise.all(this.#running);
    }
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  #mayStart(): boolean {
    return !this.#signal.aborted && this.#failures.length === 0 && this.#running.size < inAll;
  }

  /** False: everything that may start has. */
  async #startDue(): Promise<boolean> {
    const busy = [...this.#underWay].filter(([, events]) => events.size >= perDeveloper).map(([id]) => id);
    const rows = await this.#store.due(rowsPerRead, busy);
    const before = this.#running.size;
    for (const row of rows) if (this.#mayStart()) this.#start(row);
    // A page that was full may be one developer's, and hide the others behind it.
    return rows.length === rowsPerRead && this.#running.size > before;
  }

  #start(event: OutboxRow): void {
    const events = this.#underWay.get(event.developer_id) ?? new Set();
    if (events.has(event.id) || events.size >= perDeveloper) return;
    this.#underWay.set(event.developer_id, events.add(event.id));
    const work = this.#deliver(event)
      .catch((error: unknown) => void this.#failures.push(error))
      .finally(() => {
        this.#running.delete(work);
        events.delete(event.id);
        if (events.size === 0) this.#underWay.delete(event.developer_id);
      });
    this.#running.add(work);
  }

  async #somethingEnds(): Promise<void> {
    const waiting = new AbortController();
    const tick = delay(pollMs, undefined, { signal: waiting.signal }).catch(() => undefined);
    await Promise.race([...this.#running, tick]);
    waiting.abort();
  }
}
