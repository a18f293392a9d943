/** Brings catalog changes to the builder thread and snapshots back. */
import type { Worker } from 'node:worker_threads';
import { startWorkerThread } from '../../base/worker-thread.ts';
import type { CatalogChange } from '../../catalog/catalog.ts';
import type { Embedder } from '../embedding/embedder.ts';
import type { FromWorker, ToWorker, WorkerData } from './build-worker.ts';
import { createIndexBuilder, type IndexBuilder } from './index-builder.ts';
import type { Snapshot } from './snapshot.ts';

/** A snapshot and the term numbers it was built with (which may know later terms too). */
export type BuiltIndex = { readonly snapshot: Snapshot; readonly lexicon: ReadonlyMap<string, number> };

export type BuilderClient = {
  /** Reads what came since the last one, and builds; rejects when store or builder failed. One at a time. */
  build(last: BuiltIndex | null): Promise<BuiltIndex>;
  close(): Promise<void>;
};

/** Where a builder leaves what it knows, so that it can be let go and the next one goes on. */
export type BuilderFile = {
  readonly path: string;
  /** Of the model and the code: what others left is of no use. */
  readonly version: string;
  /** Of a catalogue with more servers and tools; a smaller one is read again in a fraction of a second. */
  readonly beyondDocuments: number;
  /** A builder without work goes after so long. */
  readonly idleMs: number;
  readonly onFault: (fault: 'unreadable' | 'unwritten', error: unknown) => void;
};

export type ChangesSince = (revision: number) => AsyncIterable<readonly CatalogChange[]>;

type BuilderThread = {
  request(message: ToWorker): Promise<FromWorker>;
  terminate(): Promise<unknown>;
  hasFailed(): boolean;
  readonly lexicon: Map<string, number>;
};

/** An idle builder of a small catalog is let go: to read that again takes a fraction of a second, to keep the thread 30 MB. */
export const smallDocuments = 20_000;
const idleMs = 2_000;
/** Servers and tools that are indexed in a few milliseconds: a thread takes longer to start, and 30 MB. */
export const fewDocuments = 100;

export function createBuilderClient(
  changesSince: ChangesSince,
  embedder: Embedder,
  file?: BuilderFile,
): BuilderClient {
  const small = createSmallBuilder(changesSince, embedder);
  let thread: BuilderThread | undefined;
  /** What the thread built last, unless it has read on since. */
  let threadBuilt: BuiltIndex | undefined;
  let isClosed = false;
  let idleTimer: NodeJS.Timeout | undefined;
  let leaving: Promise<void> | undefined;

  const isSmall = ({ snapshot }: BuiltIndex) =>
    snapshot.documentCount <= (file?.beyondDocuments ?? smallDocuments);
  const markOf = ({ snapshot }: BuiltIndex) => `${file?.version} ${snapshot.revision} ${snapshot.termCount}`;

  async function letGo(): Promise<void> {
    const leaver = thread;
    thread = undefined;
    if (leaver === undefined) return;
    if (file !== undefined && threadBuilt !== undefined && !isSmall(threadBuilt) && !leaver.hasFailed()) {
      const reply = await leaver.request({ kind: 'keep', path: file.path, mark: markOf(threadBuilt) });
      if (reply.kind === 'kept' && reply.error !== null) file.onFault('unwritten', reply.error);
    }
    await leaver.terminate();
  }

  function letGoWhenIdle(built: BuiltIndex): void {
    if (!isSmall(built) && file === undefined) return;
    const act = () => {
      leaving = letGo().catch(() => undefined);
    };
    idleTimer = setTimeout(act, isSmall(built) ? idleMs : file?.idleMs).unref();
  }

  /** A thread that knows what the last one knew, if that left it; null: there is none. */
  async function restore(last: BuiltIndex): Promise<BuilderThread | null> {
    if (file === undefined || isSmall(last)) return null;
    const { snapshot, lexicon } = last;
    const terms = [...lexicon.keys()].slice(0, snapshot.termCount);
    const restored = startThread(embedder, new Map(terms.map((term, i) => [term, i])));
    const reply = await restored.request({
      kind: 'restore',
      path: file.path,
      mark: markOf(last),
      snapshot,
      terms: terms.join('\n'),
    });
    if (reply.kind !== 'restored') throw new Error(`the builder answered ${reply.kind}`);
    if (reply.isRestored && !isClosed) return restored;
    if (reply.error !== null) file.onFault('unreadable', reply.error);
    await restored.terminate();
    if (isClosed) throw new Error('search is closed');
    return null;
  }

  return {
    async build(last) {
      clearTimeout(idleTimer);
      await leaving;
      let after = last?.snapshot.revision ?? 0;
      if (thread?.hasFailed()) thread = undefined;
      if (last !== null) thread ??= (await restore(last)) ?? undefined;
      if (thread === undefined) {
        // A builder that died, or was let go, took its analyses along: the next one reads the catalog from the beginning.
        const built = await small.rebuild();
        if (built !== null) return built;
        thread = startThread(embedder, new Map());
        after = 0;
      }
      threadBuilt = undefined;
      const { snapshot } = await build(thread, changesSince, after);
      threadBuilt = { snapshot, lexicon: thread.lexicon };
      letGoWhenIdle(threadBuilt);
      return threadBuilt;
    },
    async close() {
      isClosed = true;
      clearTimeout(idleTimer);
      await leaving;
      await letGo().catch(() => undefined);
    },
  };
}

/** A builder in this thread, as long as there is little to build. */
function createSmallBuilder(changesSince: ChangesSince, embedder: Embedder) {
  let builder: IndexBuilder | undefined;
  let documents = 0;
  let revision = 0;
  return {
    /** null: there is too much by now, and it starts anew when asked again. */
    async rebuild(): Promise<BuiltIndex | null> {
      builder ??= createIndexBuilder(embedder);
      for await (const changes of changesSince(revision)) {
        for (const { server } of changes) documents += 1 + (server?.tools.length ?? 0);
        if (documents > fewDocuments) {
          [builder, documents, revision] = [undefined, 0, 0];
          return null;
        }
        await builder.apply(changes);
        revision = changes.at(-1)?.revision ?? revision;
      }
      return { snapshot: builder.build(revision), lexicon: builder.lexicon };
    },
  };
}

/** Feeds the thread with what is newer than a revision, and has it build. */
async function build(thread: BuilderThread, changesSince: ChangesSince, after: number) {
  let revision = after;
  for await (const changes of changesSince(after)) {
    await thread.request({ kind: 'changes', changes });
    revision = changes.at(-1)?.revision ?? revision;
  }
  const reply = await thread.request({ kind: 'build', revision });
  if (reply.kind !== 'built') throw new Error(`the builder answered ${reply.kind}`);
  for (const term of reply.newTerms.split('\n'))
    if (term !== '') thread.lexicon.set(term, thread.lexicon.size);
  return reply;
}

function startThread(embedder: Embedder, lexicon: Map<string, number>): BuilderThread {
  const worker = spawnWorker(embedder);
  let pending: PromiseWithResolvers<FromWorker> | undefined;
  let failure: Error | undefined;
  const fail = (error: Error) => {
    failure ??= error;
    pending?.reject(failure);
    void worker.terminate();
  };
  worker.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))));
  worker.on('exit', () => fail(new Error('the builder thread ended')));
  worker.on('message', (message: FromWorker) => {
    if (message.kind !== 'embed') return pending?.resolve(message);
    Promise.resolve(embedder.embed(message.texts, 'document')).then(
      (vectors) => worker.postMessage({ kind: 'vectors', vectors } satisfies ToWorker),
      fail,
    );
  });
  worker.unref();
  return {
    lexicon,
    hasFailed: () => failure !== undefined,
    terminate: () => worker.terminate(),
    async request(message) {
      if (failure) throw failure;
      pending = Promise.withResolvers<FromWorker>();
      // Only a thread at work keeps the process alive.
      worker.ref();
      try {
        worker.postMessage(message);
        return await pending.promise;
      } finally {
        worker.unref();
      }
    },
  };
}

function spawnWorker({ dims, table }: Embedder): Worker {
  return startWorkerThread(new URL('./build-worker', import.meta.url), {
    workerData: { dims, table } satisfies WorkerData,
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  });
}
