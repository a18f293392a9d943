import { inSpan, type Tracing } from '../../base/tracing.ts';
import {
  type CallResult,
  type Channel,
  type OnNotification,
  type RpcRequest,
  type SendOptions,
  UpstreamFailure,
} from '../mcp-model.ts';
import { modernRevision } from '../messages/rpc-message.ts';
import type { Duplex } from '../transports/duplex.ts';
import { type Greeting, greet, SpoiltByDiscover, wasRefused } from './program-handshake.ts';
import { type StdioDeps, type StdioProcess, startProcess } from './stdio-process.ts';

const stopped = 'The program was stopped';
const firstPauseMs = 1_000;
const maxPauseMs = 60_000;
/** A program that lived this long was well: its next death is a new story. */
const healthyMs = 30_000;

/** What was found out about a program; shared by all its children, of whichever caller. */
export type ProgramMemory = {
  /** The one that works, where the other one does not. */
  greeting?: Greeting;
};

export type ProgramDeps = StdioDeps & {
  readonly now: () => number;
  readonly tracing: Tracing;
  readonly memory: ProgramMemory;
  readonly revision: string | null;
  readonly prefersSession: boolean;
  /** It could not be started, or ended by itself. */
  readonly onFailure: (reason: string) => void;
};

/** A program that is started when it is needed, and again when it died: after a pause that doubles while it keeps dying. */
export class ProgramChannel implements Channel {
  readonly #deps: ProgramDeps;
  readonly #listeners = new Set<OnNotification>();
  #process: StdioProcess | undefined;
  /** Of the last child: whoever comes next starts when it is gone, since it may hold a port or a lock. */
  #exited: Promise<void> = Promise.resolve();
  #opening: Promise<Duplex> | undefined;
  /** Calls that wait for the opening; it ends with the last of them. */
  #waiting = 0;
  #ready: Duplex | undefined;
  #startedAt = 0;
  #pauseMs = 0;
  #deaths = 0;
  #notBefore = 0;
  #lastWords = '';
  #isClosed = false;

  constructor(deps: ProgramDeps) {
    this.#deps = deps;
  }

  send(request: RpcRequest, options: SendOptions): Promise<CallResult> {
    return this.#ready?.send(request, options) ?? this.#openAndSend(request, options);
  }

  listen(onNotification: OnNotification): () => void {
    this.#listeners.add(onNotification);
    return () => void this.#listeners.delete(onNotification);
  }

  hasOlderWay(): boolean {
    const { memory, revision } = this.#deps;
    return this.#ready?.isModern === true && revision === null && memory.greeting !== 'discover';
  }

  isOpening(): boolean {
    return this.#opening !== undefined && this.#ready === undefined;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelOpening(new UpstreamFailure('refused', stopped));
    this.#process?.stop();
  }

  async #openAndSend(request: RpcRequest, options: SendOptions): Promise<CallResult> {
    const opening = this.#open();
    this.#waiting++;
    try {
      return await (await unlessAborted(opening, options.signal)).send(request, options);
    } finally {
      this.#waiting--;
      if (this.#waiting === 0 && this.#opening === opening)
        this.#cancelOpening(new UpstreamFailure('cancelled', 'Nobody waits for it any more'));
    }
  }

  #open(): Promise<Duplex> {
    if (this.#opening !== undefined) return this.#opening;
    if (this.#isClosed) throw new UpstreamFailure('refused', stopped);
    const restMs = this.#notBefore - this.#deps.now();
    if (restMs > 0)
      throw new UpstreamFailure(
        'refused',
        `The program keeps ending and is started again a little later${this.#lastWords}`,
        { retryAfterMs: restMs },
      );
    this.#startedAt = this.#deps.now();
    const opening = this.#start(() => this.#opening === opening);
    this.#opening = opening;
    opening.catch((error: unknown) => {
      if (this.#opening === opening) this.#died(error);
    });
    return opening;
  }

  /** `isWanted`: nobody else has taken its place, and somebody waits for it. */
  async #start(isWanted: () => boolean): Promise<Duplex> {
    const first = this.#firstGreeting();
    try {
      return await this.#startWith(first, isWanted);
    } catch (error) {
      const other = this.#otherGreeting(first, error);
      if (other === null || !isWanted()) throw error instanceof SpoiltByDiscover ? error.cause : error;
      const duplex = await this.#startWith(other, isWanted);
      this.#deps.memory.greeting = other;
      return duplex;
    }
  }

  #firstGreeting(): Greeting {
    const { revision, memory, prefersSession } = this.#deps;
    if (revision !== null) return revision === modernRevision ? 'discover' : 'initialize';
    return memory.greeting ?? (prefersSession ? 'initialize' : 'discover');
  }

  #otherGreeting(first: Greeting, error: unknown): Greeting | null {
    if (this.#deps.revision !== null) return null;
    if (first === 'discover') return error instanceof SpoiltByDiscover ? 'initialize' : null;
    return wasRefused(error) ? 'discover' : null;
  }

  async #startWith(greeting: Greeting, isWanted: () => boolean): Promise<Duplex> {
    await this.#exited;
    // A turn of the event loop later whoever asked is registered.
    if (this.#isClosed || !isWanted()) throw new UpstreamFailure('refused', stopped);
    const process = startProcess(this.#deps, (failure) => {
      if (this.#process === process && this.#ready !== undefined) this.#died(failure);
    });
    this.#process = process;
    this.#exited = process.exited;
    try {
      await inSpan(this.#deps.tracing, 'mcp negotiate', {}, () =>
        greet(process.duplex, greeting, this.#deps),
      );
    } catch (error) {
      process.stop();
      throw error;
    }
    process.duplex.listen((told) => {
      for (const listener of this.#listeners) listener(told);
    });
    this.#ready = process.duplex;
    return process.duplex;
  }

  /** A child that nobody waits for is ended, and was no death. */
  #cancelOpening(why: UpstreamFailure): void {
    if (!this.isOpening()) return;
    const process = this.#process;
    this.#opening = undefined;
    this.#process = undefined;
    process?.duplex.fail(why);
    process?.stop();
  }

  #died(error: unknown): void {
    this.#opening = undefined;
    this.#ready = undefined;
    this.#process = undefined;
    if (this.#isClosed) return;
    const reason = error instanceof UpstreamFailure ? error.detail : String(error);
    this.#lastWords = `: ${reason}`;
    this.#deps.onFailure(reason);
    const wasWell = this.#deps.now() - this.#startedAt > healthyMs;
    this.#deaths = wasWell ? 1 : this.#deaths + 1;
    // The first death is an accident; from the second on it has to wait.
    this.#pauseMs = this.#deaths === 1 ? 0 : Math.min(Math.max(this.#pauseMs * 2, firstPauseMs), maxPauseMs);
    this.#notBefore = this.#deps.now() + this.#pauseMs;
  }
}

/** What others wait for, too, for one who may go away before. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const { promise: left, reject } = Promise.withResolvers<never>();
  const leave = () => reject(new UpstreamFailure('cancelled', 'The caller went away'));
  signal.addEventListener('abort', leave);
  if (signal.aborted) leave();
  try {
    return await Promise.race([promise, left]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
