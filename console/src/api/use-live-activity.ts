import { useEffect, useState } from 'preact/hooks';
import type { Activity } from '../../../sdk/api.ts';
import { call, targetOf } from './client.ts';
import type { Loaded } from './use-data.ts';

/** The activity, told anew for as long as one looks; a page that is not seen hears nothing. */
export function useLiveActivity(
  window: Activity['window'],
): Loaded<Activity> & { readonly reload: () => void; readonly isLive: boolean } {
  const [found, setFound] = useState<Loaded<Activity>>({ state: 'loading', data: undefined });
  const [isLive, setLive] = useState(false);
  const [isSeen, setSeen] = useState(!document.hidden);
  const [round, setRound] = useState(0);
  useEffect(() => {
    const look = () => setSeen(!document.hidden);
    document.addEventListener('visibilitychange', look);
    return () => document.removeEventListener('visibilitychange', look);
  }, []);
  useEffect(() => {
    if (!isSeen) return;
    const abort = new AbortController();
    const query = { window };
    const stream = new EventSource(targetOf('GET /v1/admin/activity/live', { query }));
    stream.onmessage = ({ data }) => {
      setLive(true);
      setFound({ state: 'ready', data: JSON.parse(String(data)) as Activity });
    };
    stream.onerror = () => {
      setLive(false);
      // The browser comes back by itself, unless it was refused: then this says why.
      if (stream.readyState !== EventSource.CLOSED) return;
      call('GET /v1/admin/activity', { query, signal: abort.signal }).then(
        ({ body }) => setFound({ state: 'ready', data: body }),
        (error: Error) => {
          if (!abort.signal.aborted) setFound((old) => ({ state: 'failed', error, data: old.data }));
        },
      );
    };
    return () => {
      abort.abort();
      stream.close();
    };
  }, [window, isSeen, round]);
  return { ...found, isLive, reload: () => setRound((n) => n + 1) };
}
