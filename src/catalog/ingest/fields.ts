import { isObject } from '../../base/json.ts';
import { Problem } from '../../base/problem.ts';
import type { ServerInput } from '../catalog-model.ts';
import { cleanText, scrubUrl } from './scrub.ts';

/** What one row says: a server, one that is gone, a version that is not the latest, or nothing usable. */
export type Parsed =
  | {
      readonly kind: 'server';
      readonly id: string;
      readonly input: ServerInput;
      readonly notes: readonly string[];
    }
  | { readonly kind: 'gone' | 'superseded'; readonly id: string }
  | { readonly kind: 'bad'; readonly id: string | null; readonly reason: string };

export type Fields = Readonly<Record<string, unknown>>;

const maxDescription = 8_000;
const maxUrl = 2_048;
/** No control characters, lone surrogates, line ends or direction overrides; spaces and joined emoji are fine. */
const printable = /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]+$/u;

/** Fields that the transport sets itself, or that would break its framing (RFC 9110 section 7.6.1). */
const transportHeaders =
  /^(host|connection|content-length|content-type|accept|transfer-encoding|te|trailer|upgrade|expect|keep-alive|mcp-.*|proxy-.*)$/;
const maxHeaders = 32;

/** A URL for people and proxies: http(s), `{variables}` as they are, no credentials. */
export function parseUrl(
  value: unknown,
  field: string,
  notes: string[],
  orNothing?: 'or nothing',
): string | null {
  if (value === undefined || value === null || value === '') return null;
  // Variables are no part of URL syntax: any letter in their place tells whether the rest is one.
  const url =
    typeof value === 'string' && value.length <= maxUrl ? URL.parse(value.replace(/\{[^{}]*\}/g, 'x')) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || !printable.test(String(value))) {
    if (orNothing !== undefined) return null;
    return refuse(field, `expected an http(s) URL of at most ${maxUrl} characters`);
  }
  const clean = scrubUrl(String(value).trim());
  if (clean !== String(value).trim()) notes.push(`${field}: a credential in it was replaced`);
  return clean;
}

export function describe(value: unknown, field: string, notes: string[]): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') return refuse(field, 'expected a text');
  const text = cleanText(value);
  if (text.length <= maxDescription) return text;
  notes.push(`${field}: cut at ${maxDescription} of ${text.length} characters`);
  return text.slice(0, maxDescription).toWellFormed();
}

/** A name that must stay as it is (ids, tool names): refused or returned unchanged. */
export function printableText(value: unknown, field: string, max: number): string {
  if (typeof value !== 'string' || value.length > max || value.trim() === '' || !printable.test(value))
    return refuse(field, `expected 1 to ${max} printable characters`);
  return value;
}

/** One line to be shown: white space folded, control characters and secrets taken out. */
export function lineText(value: unknown, field: string, max: number): string {
  return printableText(
    typeof value === 'string' ? cleanText(value).replace(/\s+/g, ' ').trim() : value,
    field,
    max,
  );
}

export function optionalLine(value: unknown, field: string, max: number): string | null {
  return value === undefined || value === null || value === '' ? null : lineText(value, field, max);
}

/** The operator's own header fields of a server, by lower-case name. Throws `invalid_request`. */
export function parseHeaders(value: unknown): Readonly<Record<string, string>> | null {
  if (value === undefined || value === null) return null;
  if (!isObject(value)) return refuse('headers', 'expected an object of texts');
  const entries = headerEntries(value, 'headers').map(([field, text]) => {
    if (typeof text !== 'string' || text.length > 8_192 || !/^[\x20-\x7e\x80-\xff]*$/.test(text))
      return refuse(`headers.${field}`, 'expected a text without line breaks of at most 8192 characters');
    return [field, text.trim()] as const;
  });
  if (entries.length > maxHeaders) return refuse('headers', `expected at most ${maxHeaders}`);
  return Object.fromEntries(entries);
}

/** By their names in lower case. Throws `invalid_request`, also where two are one: nobody knows which of them was meant. */
export function headerEntries(headers: Fields, place: string): readonly (readonly [string, unknown])[] {
  const spelt = new Map<string, string>();
  return Object.entries(headers).map(([name, value]) => {
    const field = headerName(name, place);
    const other = spelt.get(field);
    if (other !== undefined) return refuse(`${place}.${name}`, `the same as ${place}.${other}`);
    spelt.set(field, name);
    return [field, value] as const;
  });
}

/** In lower case. Throws `invalid_request` for a field that is not anybody's to set. */
export function headerName(name: string, place: string): string {
  const field = name.toLowerCase();
  if (!/^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/.test(field) || transportHeaders.test(field))
    return refuse(place, `${JSON.stringify(name.slice(0, 100))} is not a header field to be set here`);
  return field;
}

export function refuse(field: string, expected: string): never {
  throw new Problem('invalid_request', `${field}: ${expected}`);
}
