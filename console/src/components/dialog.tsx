import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { useMutation } from '../api/use-mutation.ts';
import { Button, CopyButton } from './button.tsx';
import { ErrorNotice } from './states.tsx';

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
    // The browser takes the first that can have it, which is the button that closes.
    ref.current?.querySelector<HTMLElement>('.dialog-body :is(input, select, textarea)')?.focus();
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
  const { busy, error, run } = useMutation(props.act, props.onClose);
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <div class="dialog-body">
        {props.children}
        {error !== null && <ErrorNotice error={error} />}
      </div>
      <div class="dialog-foot">
        <Button onClick={props.onClose}>Cancel</Button>
        <Button kind="danger" busy={busy} onClick={run}>
          {props.verb}
        </Button>
      </div>
    </Dialog>
  );
}

/** Asks for what is needed to make something; `act` makes it, and `then` follows (closing it, unless told otherwise). */
export function FormDialog(props: {
  readonly title: string;
  readonly verb: string;
  readonly disabled?: boolean;
  readonly children: ComponentChildren;
  readonly act: () => Promise<unknown>;
  readonly then?: () => void;
  readonly onClose: () => void;
}) {
  const { busy, error, run } = useMutation(props.act, props.then ?? props.onClose);
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
      >
        <div class="dialog-body">
          {props.children}
          {error !== null && <ErrorNotice error={error} />}
        </div>
        <div class="dialog-foot">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button kind="main" type="submit" busy={busy} disabled={props.disabled === true}>
            {props.verb}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** A secret that was just made, and will not be told again. */
export function SecretDialog(props: {
  readonly title: string;
  readonly note: string;
  readonly secret: string;
  readonly copy: string;
  readonly children?: ComponentChildren;
  readonly onClose: () => void;
}) {
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <div class="dialog-body">
        <p>
          <strong>Copy it now.</strong> {props.note}
        </p>
        <div class="secret">
          <code data-testid="secret">{props.secret}</code>
          <CopyButton text={props.secret} label={props.copy} />
        </div>
        {props.children}
      </div>
      <div class="dialog-foot">
        <Button kind="main" onClick={props.onClose}>
          I have it
        </Button>
      </div>
    </Dialog>
  );
}
