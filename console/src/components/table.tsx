/** Lists, as every page shows them: not there yet, failed, empty, or rows. */
import type { ComponentChildren } from 'preact';
import type { Loaded, Pages } from '../api/use-data.ts';
import { Button } from './button.tsx';
import { ErrorNotice, Loadable, Skeleton } from './states.tsx';

export type Column<T> = {
  /** Named for everybody; `actions` is named for screen readers only. */
  readonly head: string;
  readonly cell: (row: T) => ComponentChildren;
  readonly kind?: 'number' | 'actions' | 'nowrap' | 'scopes';
};

/** Rows under named columns; the first names its row. Where it is narrow, each row becomes a card. */
export function DataTable<T>(props: {
  readonly label: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly keyOf: (row: T) => string;
}) {
  const { label, columns, rows, keyOf } = props;
  return (
    <Table label={label} kind="cards">
      <thead>
        <tr>
          {columns.map(({ head, kind = '' }) => (
            <th key={head} scope="col" class={kind}>
              {kind === 'actions' ? <span class="visually-hidden">{head}</span> : head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={keyOf(row)}>
            {columns.map(({ head, cell, kind = '' }, i) =>
              i === 0 ? (
                <th key={head} scope="row">
                  {cell(row)}
                </th>
              ) : (
                <td key={head} class={kind} data-head={head}>
                  <div>{cell(row)}</div>
                </td>
              ),
            )}
          </tr>
        ))}
      </tbody>
    </Table>
  );
}

/** A list that is read whole. */
export function List<Reply, T>(props: {
  readonly of: Loaded<Reply> & { readonly reload: () => void };
  readonly rows: (reply: Reply) => readonly T[];
  readonly empty: ComponentChildren;
  /** What is to be said above the rows. */
  readonly note?: (rows: readonly T[]) => ComponentChildren;
  readonly label: string;
  readonly columns: readonly Column<T>[];
  readonly keyOf: (row: T) => string;
}) {
  const { of, empty, note, label, columns, keyOf } = props;
  return (
    <Loadable of={of}>
      {(reply) => {
        const rows = props.rows(reply);
        if (rows.length === 0) return empty;
        return (
          <>
            {note?.(rows)}
            <DataTable label={label} columns={columns} rows={rows} keyOf={keyOf} />
          </>
        );
      }}
    </Loadable>
  );
}

/** A list that is read page after page. */
export function Paged<T>(props: {
  readonly of: Pages<T>;
  readonly empty: ComponentChildren;
  readonly more: string;
  readonly children: (rows: readonly T[]) => ComponentChildren;
}) {
  const { rows, error, busy, next, more } = props.of;
  return (
    <>
      {error !== null && <ErrorNotice error={error} retry={more} />}
      {rows === null
        ? error === null && <Skeleton rows={8} />
        : rows.length === 0
          ? props.empty
          : props.children(rows)}
      {next !== undefined && (
        <p class="more">
          <Button busy={busy} onClick={more}>
            {props.more}
          </Button>
        </p>
      )}
    </>
  );
}

/** A table that scrolls inside its own frame where the window is too narrow for it. */
export function Table(props: {
  readonly label: string;
  /** Of `cards` each row becomes one where it is narrow. */
  readonly kind?: 'cards' | 'hours';
  readonly children: ComponentChildren;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="table-scroll" tabIndex={0} aria-label={props.label}>
      <table class={props.kind}>{props.children}</table>
    </section>
  );
}
