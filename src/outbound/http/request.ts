import { Problem } from '../../base/problem.ts';

/** A request as it goes out, but for its body. */
export type RequestHead = {
  readonly method: string;
  /** Path and query, byte for byte. */
  readonly target: string;
  readonly host: string;
  /** By name; or name, value, name, value … when order and repetition matter. */
  readonly headers: Readonly<Record<string, string>> | readonly string[];
};

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const notInValue = /[^\t\x20-\x7e\x80-\xff]/;
/** No space and no control character. Whoever made it has checked what it means. */
const targetForm = /^\/[\x21-\x7e\x80-\xff]*$/;
/** These say how the message is framed and where it goes, which is decided here and nowhere else. */
const ours: ReadonlySet<string> = new Set([
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

/** Of sets of fields that nobody can change any more, and that are sent again and again: the last head that was made with each. */
const heads = new WeakMap<object, RequestHead & { readonly text: string }>();

/** Request line and fields, but for those of the body. Throws `invalid_request` for what would not be one request (threats B5). */
export function headText(request: RequestHead): string {
  const { method, target, host, headers } = request;
  const last = heads.get(headers);
  if (last !== undefined && last.method === method && last.target === target && last.host === host)
    return last.text;
  const text = newHeadText(request);
  if (Object.isFrozen(headers)) heads.set(headers, { ...request, text });
  return text;
}

function newHeadText({ method, target, host, headers }: RequestHead): string {
  if (!token.test(method)) throw unfit('method');
  if (!targetForm.test(target)) throw unfit('target');
  let text = `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  if (Array.isArray(headers)) {
    for (let i = 0; i + 1 < headers.length; i += 2) text += fieldLine(headers[i], headers[i + 1]);
    return text;
  }
  const named = headers as Readonly<Record<string, string>>;
  for (const name in named) text += fieldLine(name, named[name]);
  return text;
}

function fieldLine(name = '', value = ''): string {
  if (!isFieldName(name)) throw unfit(`header ${name.slice(0, 50)}`);
  if (notInValue.test(value)) throw unfit(`header ${name}`);
  return `${name}: ${value}\r\n`;
}

/** Names that were found fit: the same few are sent over and over. */
const namesSeen = new Set<string>();
const namesKept = 1_000;

function isFieldName(name: string): boolean {
  if (namesSeen.has(name)) return true;
  if (!token.test(name) || ours.has(name.toLowerCase())) return false;
  if (namesSeen.size >= namesKept) namesSeen.clear();
  namesSeen.add(name);
  return true;
}

function unfit(what: string): Problem {
  return new Problem('invalid_request', `${what.replace(/[^\x20-\x7e]/g, '?')}: cannot be sent`);
}
