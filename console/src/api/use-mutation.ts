import { useState } from 'preact/hooks';

/** A change on request: whether it is under way, and why it failed. `onDone` follows when it is done. */
export function useMutation(act: () => Promise<unknown>, onDone: () => void = () => undefined) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const run = async () => {
    setBusy(true);
    setError(null);
    try {
      await act();
      onDone();
    } catch (cause) {
      setError(cause as Error);
    }
    setBusy(false);
  };
  return { busy, error, run: () => void run() };
}
