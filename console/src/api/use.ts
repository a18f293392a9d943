import { useEffect, useState } from 'preact/hooks';
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
