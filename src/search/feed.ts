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

/** An idle builder of a small catalogue is let go: to read that again takes a fraction of a second, to keep the thread 30 MB. */
const smallDocuments = 20_000;
const idleMs = 2_000;

export function createFeed(changesSince: Changes, embedder: Embedder): Feed {
  let thread: Thread | undefined;
  let revision = 0;
  let closed = false;
  let built = false;
  let small = false;
  let idle: NodeJS.Timeout | undefined;

  function letGoWhenIdle(): void {
    if (!small) return;
    idle = setTimeout(() => {
      void thread?.end();
      thread = undefined;
    }, idleMs).unref();
  }

  return {
    async pass() {
      if (closed) throw new Error('search is closed');
      clearTimeout(idle);
      if (built && !(await hasNews(changesSince, revision))) {
        letGoWhenIdle();
        return null;
      }
      // A builder that died, or was let go, took its analyses along: the next one reads the catalogue from the beginning.
      let reached = revision;
      if (thread === undefined || thread.failed()) {
        thread = startThread(embedder);
        reached = 0;
      }
      for await (const changes of changesSince(reached)) {
        await thread.ask({ kind: 'changes', changes });
        reached = changes.at(-1)?.revision ?? reached;
      }
      const answer = await thread.ask({ kind: 'build', revision: reached });
      if (answer.kind !== 'built') throw new Error(`the builder answered ${answer.kind}`);
      revision = reached;
      built = true;
      for (const term of answer.newTerms.split('\n'))
        if (term !== '') thread.lexicon.set(term, thread.lexicon.size);
      small = answer.snapshot.documentCount <= smallDocuments;
      letGoWhenIdle();
      return { snapshot: answer.snapshot, lexicon: thread.lexicon };
    },
    async close() {
      closed = true;
      clearTimeout(idle);
      await thread?.end();
    },
  };
}

async function hasNews(changesSince: Changes, revision: number): Promise<boolean> {
  for await (const changes of changesSince(revision)) if (changes.length > 0) return true;
  return false;
}

function startThread(embedder: Embedder): Thread {
  // Run from source the file is .ts, from the published build .js.
  const entry = new URL(
    import.meta.url.endsWith('.ts') ? './build-worker.ts' : './build-worker.js',
    import.meta.url,
  );
  const data: WorkerData = { dims: embedder.dims, ...(embedder.table && { table: embedder.table }) };
  // A compile cache must be on before the first import; without it the thread would carry its own type stripper.
  const start = `require('node:module').enableCompileCache(); import(${JSON.stringify(entry.href)});`;
  const worker = new Worker(start, {
    eval: true,
    workerData: data,
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  });
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
