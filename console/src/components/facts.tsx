import type { ComponentChildren } from 'preact';
import { ago, when } from '../browser/format.ts';
import { useObjectUrl } from '../browser/object-url.ts';

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
  if (at === null) return <span class="muted">never</span>;
  return (
    <time dateTime={at} title={when(at)}>
      {ago(at)}
    </time>
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

/** A server's own picture, that came with its reply as a `data:` URI; nothing where a browser does not show its type. */
export function ServerIcon({ uri }: { readonly uri: string }) {
  const [, type = '', data = ''] = /^data:([^;]+);base64,(.*)$/.exec(uri) ?? [];
  const url = useObjectUrl(data, type);
  return url === null ? null : <img class="server-icon" src={url} alt="" />;
}
