import type { ComponentChildren } from 'preact';
import { ApiError } from '../api/client.ts';
import type { Loaded } from '../api/use-data.ts';
import { Button } from './button.tsx';
import { Icon, type IconName } from './icons.tsx';

export function PageHeader(props: {
  readonly title: string;
  readonly lead?: ComponentChildren;
  /** Before the title, and of no words. */
  readonly picture?: ComponentChildren;
  readonly children?: ComponentChildren;
}) {
  document.title = `${props.title} · MCP Rank`;
  return (
    <header class="page-head">
      <div>
        <h1 tabIndex={-1}>
          {props.picture}
          {props.title}
        </h1>
        {props.lead !== undefined && <p class="lead">{props.lead}</p>}
      </div>
      {props.children !== undefined && <div class="page-actions">{props.children}</div>}
    </header>
  );
}

export function EmptyState(props: {
  readonly icon: IconName;
  readonly title: string;
  readonly children?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <span class="empty-icon">
        <Icon name={props.icon} />
      </span>
      <p class="empty-title">{props.title}</p>
      {props.children !== undefined && <div class="muted">{props.children}</div>}
    </div>
  );
}

export function ErrorNotice({ error, retry }: { readonly error: Error; readonly retry?: () => void }) {
  const id = error instanceof ApiError ? error.requestId : '';
  return (
    <div class="notice bad" role="alert">
      <Icon name="warn" />
      <div>
        <p>{error.message}</p>
        {id !== '' && <p class="muted small-text">Request {id}</p>}
      </div>
      {retry !== undefined && (
        <Button small onClick={retry} icon="refresh">
          Try again
        </Button>
      )}
    </div>
  );
}

export function Skeleton({ rows = 5 }: { readonly rows?: number }) {
  return (
    <div class="skeleton" role="status">
      <span class="visually-hidden">Loading</span>
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} aria-hidden="true" />
      ))}
    </div>
  );
}

/** The three ways a page can be: not there yet, failed, or there (what was there stays while it is read again). */
export function Loadable<T>(props: {
  readonly of: Loaded<T> & { readonly reload: () => void };
  readonly rows?: number;
  readonly children: (data: T) => ComponentChildren;
}) {
  const { of } = props;
  return (
    <>
      {of.state === 'failed' && <ErrorNotice error={of.error} retry={of.reload} />}
      {of.data !== undefined
        ? props.children(of.data)
        : of.state === 'loading' && <Skeleton rows={props.rows ?? 5} />}
    </>
  );
}
