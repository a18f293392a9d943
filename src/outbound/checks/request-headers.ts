import { Readable } from 'node:stream';
import { Problem } from '../../base/problem.ts';
import type { OutboundRequest } from '../outbound-model.ts';

/** Fields as undici takes them. */
export type Fields = Readonly<Record<string, string>> | string[];

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const notInValue = /[^\t\x20-\x7e\x80-\xff]/;
/** No space and no control character. Whoever made it has checked what it means. */
const targetForm = /^\/[\x21-\x7e\x80-\xff]*$/;
/** These say how the message is framed and where it goes, which is decided by the client and nobody else. */
const framing: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'expect',
  'te',
  'trailer',
]);

/** Throws `invalid_request` for what would not be one request (threats B5). */
export function checkRequestLine(method: string, target: string): void {
  if (!token.test(method) || method === 'CONNECT') throw unfit('method');
  if (!targetForm.test(target)) throw unfit('target');
}

/** Sets of fields that nobody can change any more, and that are sent again and again. */
const checkedFields = new WeakSet<object>();

/** The same for the fields; with the length of a body that is a stream, where that is known. */
export function toFields({ headers = {}, sizeBytes, body }: OutboundRequest): Fields {
  const fields = checkFields(headers);
  if (sizeBytes === undefined || sizeBytes === null || !(body instanceof Readable)) return fields;
  if (Array.isArray(fields)) return [...fields, 'content-length', String(sizeBytes)];
  return { ...fields, 'content-length': String(sizeBytes) };
}

function checkFields(headers: NonNullable<OutboundRequest['headers']>): Fields {
  if (isList(headers)) {
    for (let i = 0; i + 1 < headers.length; i += 2) checkField(headers[i], headers[i + 1]);
    return [...headers];
  }
  if (checkedFields.has(headers)) return headers;
  for (const name in headers) checkField(name, headers[name]);
  if (Object.isFrozen(headers)) checkedFields.add(headers);
  return headers;
}

function isList(headers: NonNullable<OutboundRequest['headers']>): headers is readonly string[] {
  return Array.isArray(headers);
}

function checkField(name = '', value = ''): void {
  if (!token.test(name) || framing.has(name.toLowerCase())) throw unfit(`header ${name.slice(0, 50)}`);
  if (notInValue.test(value)) throw unfit(`header ${name}`);
}

function unfit(what: string): Problem {
  return new Problem('invalid_request', `${what.replace(/[^\x20-\x7e]/g, '?')}: cannot be sent`);
}
