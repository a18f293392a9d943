/** Brings catalog changes to the builder thread and snapshots back, one build at a time. */
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
  /** Reads what is new and builds. Null when nothing was new; rejects when store or builder failed. */
  rebuild(): Promise<BuiltIndex | null>;
  /** There is an index of that revision already. */
  startFrom(revision: number): void;
  close(): Promise<void>;
};

export type ChangesSince = (revision: number) => AsyncIterable<readonly CatalogChange[]>;

type BuilderThread = {
  request(message: ToWorker): Promise<FromWorker>;
  terminate(): Promise<unknown>;
  hasFailed(): boolean;
  readonly lexicon: Map<string, number>;
};

/** An idle builder of a small catalog is let go: to read that again takes a fraction of a second, to keep the thread 30 MB. */
const smallDocuments = 20_000;
const idleMs = 2_000;
/** Servers and tools that are indexed in a few milliseconds: a thread takes longer to start, and 30 MB. */
const fewDocuments = 100;

export function createBuilderClient(changesSince: ChangesSince, embedder: Embedder): BuilderClient {
  const small = createSmallBuilder(changesSince, embedder);
  let thread: BuilderThread | undefined;
  /** Of the last snapshot; undefined before the first. */
  let builtRevision: number | undefined;
  let isSmall = false;
  let isClosed = false;
  let idleTimer: NodeJS.Timeout | undefined;

  function terminateWhenIdle(): void {
    if (!isSmall) return;
    idleTimer = setTimeout(() => {
      void thread?.terminate();
      thread = undefined;
    }, idleMs).unref();
  }

  return {
    async rebuild() {
      if (isClosed) throw new Error('search is closed');
      clearTimeout(idleTimer);
      if (builtRevision !== undefined && !(await hasChanges(changesSince, builtRevision))) {
        terminateWhenIdle();
        return null;
      }
      // A builder that died, or was let go, took its analyses along: the next one reads the catalog from the beginning.
      let after = builtRevision ?? 0;
      if (thread === undefined || thread.hasFailed()) {
        const built = await small.rebuild();
        if (built !== null) {
          builtRevision = built.snapshot.revision;
          return built;
        }
        thread = startThread(embedder);
        after = 0;
      }
      const { snapshot } = await build(thread, changesSince, after);
      builtRevision = snapshot.revision;
      isSmall = snapshot.documentCount <= smallDocuments;
      terminateWhenIdle();
      return { snapshot, lexicon: thread.lexicon };
    },
    startFrom(revision) {
      builtRevision = revision;
    },
    async close() {
      isClosed = true;
      clearTimeout(idleTimer);
      await thread?.terminate();
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

async function hasChanges(changesSince: ChangesSince, revision: number): Promise<boolean> {
  for await (const changes of changesSince(revision)) if (changes.length > 0) return true;
  return false;
}

function startThread(embedder: Embedder): BuilderThread {
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
    lexicon: new Map(),
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
