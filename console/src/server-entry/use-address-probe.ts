import { useEffect, useState } from 'preact/hooks';
import type { AddressFound } from '../../../sdk/api.ts';
import { call } from '../api/client.ts';
import type { Header } from './pasted-server.ts';

export type Address = {
  readonly remote_url: string;
  readonly transport: 'streamable-http' | 'sse';
  readonly headers: readonly Header[];
};
export type Probing =
  | { readonly state: 'idle' }
  | { readonly state: 'busy' }
  | { readonly state: 'failed'; readonly error: Error }
  | { readonly state: 'found'; readonly found: AddressFound };

/** Somebody is still typing. */
const quietMs = 400;

/** Asks what is at an address whenever it has changed and stayed so for a moment; `onFound` hears it once. */
export function useAddressProbe(address: Address | null, onFound: (found: AddressFound) => void): Probing {
  const [probing, setProbing] = useState<Probing>({ state: 'idle' });
  const key = address === null ? '' : JSON.stringify(address);
  useEffect(() => {
    if (address === null) return setProbing({ state: 'idle' });
    const abort = new AbortController();
    const { remote_url, transport } = address;
    const body = { remote_url, transport, headers: toRecord(address.headers) };
    setProbing({ state: 'busy' });
    const timer = setTimeout(() => {
      call('POST /v1/admin/probe', { body, signal: abort.signal }).then(
        ({ body: found }) => {
          if (abort.signal.aborted) return;
          setProbing({ state: 'found', found });
          onFound(found);
        },
        (error: Error) => {
          if (!abort.signal.aborted) setProbing({ state: 'failed', error });
        },
      );
    }, quietMs);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [key]);
  return probing;
}

/** Without those that are not filled in yet. */
export function toRecord(headers: readonly Header[]): Record<string, string> {
  return Object.fromEntries(
    headers.filter(({ name, value }) => name !== '' && value !== '').map(({ name, value }) => [name, value]),
  );
}
