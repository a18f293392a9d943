import { useEffect, useRef, useState } from 'preact/hooks';
import { get } from './client.ts';

export type Loaded<T> =
  | { readonly state: 'loading'; readonly data: T | undefined }
  | { readonly state: 'failed'; readonly error: Error; readonly data: T | undefined }
  | { readonly state: 'ready'; readonly data: T };

/** What stands at a path, read again when the path changes, on `reload`, and every so often where that is asked. */
export function useData<T>(path: string, everyMs = 0): Loaded<T> & { readonly reload: () => void } {
  const [found, setFound] = useState<Loaded<T> & { path: string }>({
    state: 'loading',
    data: undefined,
    path,
  });
  const [round, setRound] = useState(0);
  useEffect(() => {
    const gone = new AbortController();
    setFound((old) =>
      old.path === path && old.data !== undefined ? old : { state: 'loading', data: undefined, path },
    );
    get<T>(path, gone.signal).then(
      (data) => setFound({ state: 'ready', data, path }),
      (error: Error) => {
        if (!gone.signal.aborted) setFound((old) => ({ state: 'failed', error, data: old.data, path }));
      },
    );
    return () => gone.abort();
  }, [path, round]);
  useEffect(() => {
    if (everyMs === 0) return;
    const timer = setInterval(() => {
      if (!document.hidden) setRound((n) => n + 1);
    }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return { ...found, reload: () => setRound((n) => n + 1) };
}

export type Pages<T> = {
  /** null: none was read yet. */
  readonly rows: readonly T[] | null;
  /** Where the next page begins; undefined after the last. */
  readonly next: string | undefined;
  readonly error: Error | null;
  readonly busy: boolean;
  readonly more: () => void;
};

/** Page after page, begun again whenever `path` changes; `after` is the name of the parameter that says where a page begins. */
export function usePages<Reply, T>(
  path: string,
  after: string,
  read: (reply: Reply) => { readonly rows: readonly T[]; readonly next: string | undefined },
): Pages<T> {
  const [state, setState] = useState<Omit<Pages<T>, 'more'>>({
    rows: null,
    next: undefined,
    error: null,
    busy: true,
  });
  const gone = useRef(new AbortController());
  const load = (from: string | undefined) => {
    const { signal } = gone.current;
    setState((old) => ({ ...old, busy: true, error: null }));
    const url = new URL(path, location.href);
    if (from !== undefined) url.searchParams.set(after, from);
    get<Reply>(`${url.pathname}${url.search}`, signal).then(
      (reply) => {
        const { rows, next } = read(reply);
        setState((old) => ({
          rows: from === undefined ? rows : [...(old.rows ?? []), ...rows],
          next,
          error: null,
          busy: false,
        }));
      },
      (error: Error) => {
        if (!signal.aborted) setState((old) => ({ ...old, error, busy: false }));
      },
    );
  };
  useEffect(() => {
    gone.current = new AbortController();
    load(undefined);
    return () => gone.current.abort();
  }, [path]);
  return { ...state, more: () => load(state.next) };
}

/** A deed on request: whether it is under way, and why it failed. `then` follows when it is done. */
export function useDeed(act: () => Promise<unknown>, then: () => void = () => undefined) {
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<Error | null>(null);
  const run = async () => {
    setBusy(true);
    setFault(null);
    try {
      await act();
      then();
    } catch (error) {
      setFault(error as Error);
    }
    setBusy(false);
  };
  return { busy, fault, run: () => void run() };
}
