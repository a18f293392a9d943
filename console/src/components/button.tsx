import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { copyText } from '../browser/clipboard.ts';
import { Icon, type IconName } from './icons.tsx';

export function Button(props: {
  readonly kind?: 'main' | 'quiet' | 'danger' | 'plain';
  readonly icon?: IconName;
  readonly type?: 'button' | 'submit';
  readonly busy?: boolean;
  readonly disabled?: boolean;
  readonly small?: boolean;
  readonly expanded?: boolean;
  readonly label?: string;
  readonly onClick?: () => void;
  readonly children?: ComponentChildren;
}) {
  const { kind = 'plain', icon, type = 'button', busy = false, disabled = false, small = false } = props;
  return (
    <button
      type={type}
      class={`button ${kind}${small ? ' small' : ''}`}
      disabled={disabled || busy}
      aria-busy={busy}
      aria-label={props.label}
      aria-expanded={props.expanded}
      onClick={props.onClick}
    >
      {busy ? <span class="spinner" aria-hidden="true" /> : icon && <Icon name={icon} />}
      {props.children}
    </button>
  );
}

export function CopyButton({ text, label = 'Copy' }: { readonly text: string; readonly label?: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2_000);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => setCopied(await copyText(text));
  return (
    <button type="button" class="button quiet small" onClick={copy}>
      <Icon name={copied ? 'check' : 'copy'} />
      <span aria-live="polite">{copied ? 'Copied' : label}</span>
    </button>
  );
}
