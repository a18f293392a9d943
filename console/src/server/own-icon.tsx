import { useEffect, useState } from 'preact/hooks';
import { call } from '../api/client.ts';
import { iconIn } from '../browser/handshake-icon.ts';
import { ServerIcon } from '../components/facts.tsx';

/** What a server that answers shows of itself in its handshake; nothing where it shows nothing, or not just now. */
export function OwnIcon({ id }: { readonly id: string }) {
  const [uri, setUri] = useState<string | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    const body = { server_id: id, method: 'server/discover' };
    call('POST /v1/mcp/call', { body, signal: abort.signal }).then(
      ({ body: { result } }) => setUri(iconIn(result)),
      () => setUri(null),
    );
    return () => abort.abort();
  }, [id]);
  return uri === null ? null : <ServerIcon uri={uri} />;
}
