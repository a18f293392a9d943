import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Button } from './bits.tsx';
import { Failed } from './states.tsx';

/** The browser's own modal: focus stays inside, Escape closes it, and the keyboard returns to where it was. */
export function Dialog(props: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    ref.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog ref={ref} aria-labelledby={id} onClose={props.onClose}>
      <div class="dialog-head">
        <h2 id={id}>{props.title}</h2>
        <Button kind="quiet" small icon="cross" label="Close" onClick={() => ref.current?.close()} />
      </div>
      {props.children}
    </dialog>
  );
}

/** Asks before something that cannot be taken back. */
export function Confirm(props: {
  readonly title: string;
  readonly verb: string;
  readonly children: ComponentChildren;
  readonly act: () => Promise<unknown>;
  readonly onClose: () => void;
}) {
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<Error | null>(null);
  const act = async () => {
    setBusy(true);
    try {
      await props.act();
      props.onClose();
    } catch (error) {
      setFault(error as Error);
      setBusy(false);
    }
  };
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <div class="dialog-body">
        {props.children}
        {fault !== null && <Failed error={fault} />}
      </div>
      <div class="dialog-foot">
        <Button onClick={props.onClose}>Cancel</Button>
        <Button kind="danger" busy={busy} onClick={act}>
          {props.verb}
        </Button>
      </div>
    </Dialog>
  );
}
