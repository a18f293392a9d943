import {
  type CallResult,
  type Channel,
  type OnNotification,
  type RpcRequest,
  type SendOptions,
  UpstreamFailure,
} from '../mcp-model.ts';
import type { Duplex } from '../transports/duplex.ts';
import { type Greeting, greet, SpoiltByDiscover } from './program-handshake.ts';
import { type StdioDeps, type StdioProcess, startProcess } from './stdio-process.ts';

const firstPauseMs = 1_000;
const maxPauseMs = 60_000;
/** A program that lived this long was well: its next death is a new story. */
const healthyMs = 30_000;

/** A program that is started when it is needed, and again when it died: after a pause that doubles while it keeps dying. */
export class ProgramChannel implements Channel {
  readonly #deps: StdioDeps & { readonly now: () => number };
  readonly #listeners = new Set<OnNotification>();
  /** Remembered: a program that was spoilt once is not spoilt again. */
  #greeting: Greeting = 'discover';
  #process: StdioProcess | undefined;
  #opening: Promise<Duplex> | undefined;
  #ready: Duplex | undefined;
  #startedAt = 0;
  #pauseMs = 0;
  #deaths = 0;
  #notBefore = 0;
  #lastWords = '';
  #isClosed = false;

  constructor(deps: StdioDeps & { readonly now: () => number }) {
    this.#deps = deps;
  }

  send(request: RpcRequest, options: SendOptions): Promise<CallResult> {
    return this.#ready?.send(request, options) ?? this.#openAndSend(request, options);
  }

  listen(onNotification: OnNotification): () => void {
    this.#listeners.add(onNotification);
    return () => void this.#listeners.delete(onNotification);
  }

  close(): void {
    this.#isClosed = true;
    this.#process?.stop();
  }

  async #openAndSend(request: RpcRequest, options: SendOptions): Promise<CallResult> {
    return (await this.#open()).send(request, options);
  }

  #open(): Promise<Duplex> {
    if (this.#opening !== undefined) return this.#opening;
    if (this.#isClosed) throw new UpstreamFailure('refused', 'The program was stopped');
    const restMs = this.#notBefore - this.#deps.now();
    if (restMs > 0)
      throw new UpstreamFailure(
        'refused',
        `The program keeps ending and is started again a little later${this.#lastWords}`,
        { retryAfterMs: restMs },
      );
    this.#startedAt = this.#deps.now();
    this.#opening = this.#start();
    this.#opening.catch((error: unknown) => this.#died(error));
    return this.#opening;
  }

  async #start(): Promise<Duplex> {
    try {
      return await this.#startWith(this.#greeting);
    } catch (error) {
      if (!(error instanceof SpoiltByDiscover)) throw error;
      this.#greeting = 'initialize';
      return this.#startWith(this.#greeting);
    }
  }

  async #startWith(greeting: Greeting): Promise<Duplex> {
    const process = startProcess(this.#deps, () => {
      if (this.#process === process && this.#ready !== undefined) this.#died(null);
    });
    this.#process = process;
    try {
      await greet(process.duplex, greeting, this.#deps.limits);
    } catch (error) {
      process.stop();
      throw error;
    }
    if (this.#isClosed) process.stop();
    process.duplex.listen((told) => {
      for (const listener of this.#listeners) listener(told);
    });
    this.#ready = process.duplex;
    return process.duplex;
  }

  #died(error: unknown): void {
    this.#opening = undefined;
    this.#ready = undefined;
    this.#process = undefined;
    this.#lastWords = error instanceof UpstreamFailure ? `: ${error.detail}` : '';
    const wasWell = this.#deps.now() - this.#startedAt > healthyMs;
    this.#deaths = wasWell ? 1 : this.#deaths + 1;
    // The first death is an accident; from the second on it has to wait.
    this.#pauseMs = this.#deaths === 1 ? 0 : Math.min(Math.max(this.#pauseMs * 2, firstPauseMs), maxPauseMs);
    this.#notBefore = this.#deps.now() + this.#pauseMs;
  }
}
