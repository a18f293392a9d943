import { useEffect, useRef, useState } from 'preact/hooks';
import type { Api } from '../../../sdk/api.ts';
import { call, type Input, type Read, targetOf } from './client.ts';

export type Loaded<T> =
  | { readonly state: 'loading'; readonly data: T | undefined }
  | { readonly state: 'failed'; readonly error: Error; readonly data: T | undefined }
  | { readonly state: 'ready'; readonly data: T };

/** What an operation answers, read again when its input changes, on `reload`, and every so often where that is asked. */
export function useData<K extends Read>(
  operation: K,
  input: Input<K> = {},
  everyMs = 0,
): Loaded<Api[K]['reply']> & { readonly reload: () => void } {
  const target = targetOf(operation, input);
  const [found, setFound] = useState<Loaded<Api[K]['reply']> & { target: string }>({
    state: 'loading',
    data: undefined,
    target,
  });
  const [round, setRound] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    setFound((old) =>
      old.target === target && old.data !== undefined ? old : { state: 'loading', data: undefined, target },
    );
    call(operation, { ...input, signal: abort.signal }).then(
      ({ body: data }) => setFound({ state: 'ready', data, target }),
      (error: Error) => {
        if (!abort.signal.aborted) setFound((old) => ({ state: 'failed', error, data: old.data, target }));
      },
    );
    return () => abort.abort();
  }, [target, round]);
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

/** Page after page, begun again whenever the input changes; `after` is the query's field that says where a page begins. */
export function usePages<K extends Read, T>(
  operation: K,
  input: Input<K>,
  {
    after,
    read,
  }: {
    readonly after: keyof Api[K]['query'] & string;
    readonly read: (reply: Api[K]['reply']) => {
      readonly rows: readonly T[];
      readonly next: string | undefined;
    };
  },
): Pages<T> {
  const [state, setState] = useState<Omit<Pages<T>, 'more'>>({
    rows: null,
    next: undefined,
    error: null,
    busy: true,
  });
  const abort = useRef(new AbortController());
  const load = (from: string | undefined) => {
    const { signal } = abort.current;
    setState((old) => ({ ...old, busy: true, error: null }));
    call(operation, { ...input, query: { ...input.query, [after]: from }, signal } as Input<K>).then(
      ({ body }) => {
        const { rows, next } = read(body);
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
    abort.current = new AbortController();
    load(undefined);
    return () => abort.current.abort();
  }, [targetOf(operation, input)]);
  return { ...state, more: () => load(state.next) };
}
