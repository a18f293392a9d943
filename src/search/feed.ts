/** Brings catalogue changes to the builder thread and snapshots back, one pass at a time. */
import { Worker } from 'node:worker_threads';
import type { CatalogChange } from '../catalog/catalog.ts';
import type { FromWorker, ToWorker, WorkerData } from './build-worker.ts';
import type { Embedder } from './embedder.ts';
import type { Snapshot } from './index/snapshot.ts';

/** A snapshot and the term numbers it was built with (which may know later terms too). */
export type Built = { readonly snapshot: Snapshot; readonly lexicon: ReadonlyMap<string, number> };

export type Feed = {
  /** Reads what is new and builds. Null when nothing was new; rejects when store or builder failed. */
  pass(): Promise<Built | null>;
  close(): Promise<void>;
};

type Changes = (revision: number) => AsyncIterable<readonly CatalogChange[]>;
type Thread = {
  ask(message: ToWorker): Promise<FromWorker>;
  end(): Promise<unknown>;
  failed(): boolean;
  readonly lexicon: Map<string, number>;
};

export function createFeed(changesSince: Changes, embedder: Embedder): Feed {
  let thread: Thread | undefined;
  let revision = 0;
  let closed = false;
  let built = false;

  return {
    async pass() {
      if (closed) throw new Error('search is closed');
      // A builder that died took its analyses along: the next one reads the catalogue from the beginning.
      if (thread === undefined || thread.failed()) {
        thread = startThread(embedder);
        revision = 0;
        built = false;
      }
      let reached = revision;
      for await (const changes of changesSince(revision)) {
        await thread.ask({ kind: 'changes', changes });
        reached = changes.at(-1)?.revision ?? reached;
      }
      if (built && reached === revision) return null;
      const answer = await thread.ask({ kind: 'build', revision: reached });
      if (answer.kind !== 'built') throw new Error(`the builder answered ${answer.kind}`);
      revision = reached;
      built = true;
      for (const term of answer.newTerms.split('\n'))
        if (term !== '') thread.lexicon.set(term, thread.lexicon.size);
      return { snapshot: answer.snapshot, lexicon: thread.lexicon };
    },
    async close() {
      closed = true;
      await thread?.end();
    },
  };
}

function startThread(embedder: Embedder): Thread {
  // Run from source the file is .ts, from the published build .js.
  const entry = new URL(
    import.meta.url.endsWith('.ts') ? './build-worker.ts' : './build-worker.js',
    import.meta.url,
  );
  const data: WorkerData = { dims: embedder.dims, ...(embedder.table && { table: embedder.table }) };
  const worker = new Worker(entry, { workerData: data, resourceLimits: { maxYoungGenerationSizeMb: 12 } });
  let waiting: PromiseWithResolvers<FromWorker> | undefined;
  let failure: Error | undefined;
  const fail = (error: Error) => {
    failure ??= error;
    waiting?.reject(failure);
    void worker.terminate();
  };
  worker.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))));
  worker.on('exit', () => fail(new Error('the builder thread ended')));
  worker.on('message', (message: FromWorker) => {
    if (message.kind !== 'embed') return waiting?.resolve(message);
    Promise.resolve(embedder.embed(message.texts, 'document')).then(
      (vectors) => worker.postMessage({ kind: 'vectors', vectors } satisfies ToWorker),
      fail,
    );
  });
  worker.unref();
  return {
    lexicon: new Map(),
    failed: () => failure !== undefined,
    end: () => worker.terminate(),
    async ask(message) {
      if (failure) throw failure;
      waiting = Promise.withResolvers<FromWorker>();
      // Only a thread at work keeps the process alive.
      worker.ref();
      try {
        worker.postMessage(message);
        return await waiting.promise;
      } finally {
        worker.unref();
      }
    },
  };
}
