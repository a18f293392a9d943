import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ago, when } from './format.ts';
import { Icon, type IconName } from './icons.tsx';

export type Tone = 'plain' | 'good' | 'warn' | 'bad' | 'accent';

export function Badge({
  tone = 'plain',
  children,
}: {
  readonly tone?: Tone;
  readonly children: ComponentChildren;
}) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

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

/** The clipboard is there on https and localhost only; elsewhere the old way still works. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    (document.querySelector('dialog[open]') ?? document.body).append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}

/** A share of one, drawn; the number beside it is what is read. */
export function Bar({ share, tone = 'accent' }: { readonly share: number; readonly tone?: Tone }) {
  const width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return (
    <span class={`bar ${tone}`} aria-hidden="true">
      <span style={{ width }} />
    </span>
  );
}

export function Time({ at }: { readonly at: string | null }) {
  if (at === null) return <span class="soft">never</span>;
  return (
    <time dateTime={at} title={when(at)}>
      {ago(at)}
    </time>
  );
}

export function CodeBlock({
  text,
  label,
  wrap = false,
}: {
  readonly text: string;
  readonly label: string;
  readonly wrap?: boolean;
}) {
  return (
    <div class="code-block">
      <div class="code-head">
        <span>{label}</span>
        <CopyButton text={text} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <section class="code-scroll" tabIndex={0} aria-label={label}>
        <pre class={wrap ? 'wrap' : ''}>{text}</pre>
      </section>
    </div>
  );
}

export function Stat({
  label,
  value,
  note,
}: {
  readonly label: string;
  readonly value: string;
  readonly note?: string | undefined;
}) {
  return (
    <div class="stat">
      <dt>{label}</dt>
      <dd>
        <strong>{value}</strong>
        {note !== undefined && <span>{note}</span>}
      </dd>
    </div>
  );
}

const stateWords: Readonly<Record<string, readonly [Tone, string]>> = {
  up: ['good', 'Up'],
  auth: ['accent', 'Up, wants credentials'],
  not_mcp: ['warn', 'Does not speak MCP'],
  down: ['bad', 'Down'],
};

export function State({ state }: { readonly state: string | null }) {
  const [tone, words] = stateWords[state ?? ''] ?? (['plain', 'Not looked at yet'] as const);
  return (
    <span class={`state ${tone}`}>
      <i aria-hidden="true" />
      {words}
    </span>
  );
}

/** What an id stands for, else its beginning, which tells ids apart; the whole one is a pointer away. */
export function ShortId({ id, name }: { readonly id: string; readonly name?: string | undefined }) {
  if (name !== undefined) return <span title={id}>{name}</span>;
  return (
    <span class="id" title={id}>
      {id.length > 24 ? `${id.slice(0, 14)}…` : id}
    </span>
  );
}

/** A table that scrolls inside its own frame where the window is too narrow for it. */
export function Table(props: {
  readonly label: string;
  /** Its rows become cards where it is narrow. */
  readonly cards?: boolean;
  readonly children: ComponentChildren;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="table-scroll" tabIndex={0} aria-label={props.label}>
      <table class={props.cards === true ? 'cards' : ''}>{props.children}</table>
    </section>
  );
}
