import { setImmediate as turn } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { JsonFault, type JsonShape, type JsonView, viewAt } from './json-scanner.ts';
import type { Scan, Scanned } from './json-worker.ts';
import { startWorkerThread } from './worker-thread.ts';

/**
 * JSON that is too large to be checked in one turn of the event loop: 8 MB of short tokens take an eighth of a second, in
 * which nobody else would be served. It is checked in a thread; the bytes go there and come back without being copied.
 */
const largeBytes = 262_144;
/** What is copied in one turn of the event loop. */
const copyBytes = 1_048_576;
/** A thread costs 10 MB, and a tenth of a second to begin. */
const idleMs = 10_000;
/** A megabyte goes behind what comes so much later: small ones do not wait for all large ones, and no large one for ever. */
const msPerByte = 100 / 1_048_576;

export function isLarge({ length }: { readonly length: number }): boolean {
  return length > largeBytes;
}

/** Pieces in one, a megabyte a turn. Of memory of its own, as `scanLarge` wants it. */
export async function joinLarge(pieces: readonly Buffer[], size: number): Promise<Buffer> {
  const joined = Buffer.allocUnsafeSlow(size);
  let [at, sinceTurn] = [0, 0];
  for (const piece of pieces) {
    at += piece.copy(joined, at);
    sinceTurn += piece.length;
    if (sinceTurn < copyBytes) continue;
    sinceTurn = 0;
    await turn();
  }
  return joined;
}

/** `scanJson` in the thread. `bytes` are given away, and so is what shares memory with them: those of the view take their place. */
export async function scanLarge(bytes: Buffer, shape: JsonShape = {}): Promise<JsonView> {
  const [view] = await thread.scan(bytes, shape, false);
  return view as JsonView;
}

/** The same; of an array its items, each with the members that the shape names, and a thousand at most. */
export function scanLargeItems(bytes: Buffer, shape: JsonShape): Promise<readonly JsonView[]> {
  return thread.scan(bytes, shape, true);
}

type Found = readonly JsonView[];
type Asked = { readonly scan: Scan; readonly rank: number } & PromiseWithResolvers<Found>;

/** Begun with the first large text, ended when there has been none for a while. One text at a time. */
class JsonThread {
  #worker: Worker | undefined;
  readonly #waiting: Asked[] = [];
  #underWay: Asked | undefined;
  #idleTimer: NodeJS.Timeout | undefined;

  scan(bytes: Buffer, shape: JsonShape, each: boolean): Promise<Found> {
    const rank = performance.now() + bytes.length * msPerByte;
    const asked = { scan: { bytes: owned(bytes), shape, each }, rank, ...Promise.withResolvers<Found>() };
    const later = this.#waiting.findIndex((other) => other.rank > rank);
    this.#waiting.splice(later < 0 ? this.#waiting.length : later, 0, asked);
    this.#next();
    return asked.promise;
  }

  #next(): void {
    if (this.#underWay !== undefined) return;
    clearTimeout(this.#idleTimer);
    this.#underWay = this.#waiting.shift();
    if (this.#underWay === undefined) {
      this.#worker?.unref();
      this.#idleTimer = setTimeout(() => this.#end(), idleMs).unref();
      return;
    }
    const { scan } = this.#underWay;
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#worker.postMessage(scan, [scan.bytes.buffer]);
  }

  #start(): Worker {
    const worker = startWorkerThread(new URL('./json-worker', import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    worker.on('message', (scanned: Scanned) => this.#settle(scanned));
    worker.on('error', (error) => this.#fail(worker, error));
    worker.on('exit', () => this.#fail(worker, new Error('the thread of large JSON ended')));
    return worker;
  }

  #settle(scanned: Scanned): void {
    const asked = this.#underWay;
    this.#underWay = undefined;
    if ('reason' in scanned) asked?.reject(new JsonFault(scanned.reason, scanned.at, scanned.member));
    else {
      const { buffer, byteOffset, length } = scanned.bytes;
      const bytes = Buffer.from(buffer, byteOffset, length);
      const shape = asked?.scan.shape ?? {};
      asked?.resolve(scanned.places.map((places) => viewAt(bytes, places, shape)));
    }
    this.#next();
  }

  /** Only what it had in its hands is lost with it. */
  #fail(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#underWay?.reject(error);
    this.#underWay = undefined;
    this.#next();
  }

  #end(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
  }
}

const thread = new JsonThread();

/** Nobody else's bytes lie in that memory. */
function owned(bytes: Buffer): Buffer<ArrayBuffer> {
  const { buffer, byteLength } = bytes;
  const isAlone = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
  if (isAlone) return bytes as Buffer<ArrayBuffer>;
  const copy = Buffer.allocUnsafeSlow(byteLength);
  bytes.copy(copy);
  return copy;
}
