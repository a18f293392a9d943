/** Cursors: opaque to clients, they say which query on which snapshot they belong to, and where the next page begins. */
import { crc32 } from 'node:zlib';
import { Problem } from '../base/problem.ts';
import type { SearchRequest } from './search-model.ts';

/** A query on a snapshot, as a number. */
export function hashQuery(
  revision: number,
  { query, filters, minScore, view, spelling = true }: SearchRequest,
): number {
  return crc32(JSON.stringify([revision, query, filters, minScore, view?.key, spelling]));
}

export function encodeCursor(queryHash: number, offset: number): string {
  return Buffer.from(`${queryHash.toString(36)}.${offset}`).toString('base64url');
}

/** Throws a Problem for a cursor of another query or snapshot. */
export function decodeCursor(cursor: string | undefined, queryHash: number): number {
  if (cursor === undefined) return 0;
  const text = Buffer.from(cursor, 'base64url').toString();
  const [, hash, offset] = /^([0-9a-z]+)\.([1-9][0-9]{0,5})$/.exec(text) ?? [];
  if (offset === undefined)
    throw new Problem('invalid_request', 'cursor: is not one that a search returned.');
  if (hash !== queryHash.toString(36))
    throw new Problem(
      'invalid_request',
      'cursor: belongs to another query or an older catalogue; search again.',
    );
  return Number(offset);
}
