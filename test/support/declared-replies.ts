import assert from 'node:assert/strict';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { repliesOf } from '../../src/api/openapi.ts';
import { type OtherReply, pathPattern, type Route } from '../../src/http/route.ts';

type Seen = {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
};

/**
 * Whether `/openapi.json` says that this may come: the status, its content type, and a body of its shape and not a member
 * more. Every reply that a test gets through `call` is held against it.
 */
export function assertDeclared(routes: readonly Route[], seen: Seen): void {
  const pathname = URL.parse(seen.path, 'http://localhost')?.pathname ?? '';
  const route = routes.find(({ method, url }) => method === seen.method && pathPattern(url).test(pathname));
  // What no route answers is no route's to declare.
  if (route === undefined) return;
  const name = `${seen.method} ${route.url} ${seen.status} ${seen.contentType}`;
  const declared = repliesOf(route);
  const ofStatus = declared.filter(({ status }) => status === seen.status);
  const candidates = ofStatus.length > 0 ? ofStatus : declared.filter(({ status }) => status === 'default');
  assert.ok(candidates.length > 0, `${name} is not in /openapi.json: ${seen.text.slice(0, 300)}`);
  const fits = candidates.some((each) => isSuch(each, seen, `${name} ${candidates.indexOf(each)}`));
  assert.ok(fits, `${name} is not as /openapi.json has it: ${seen.text.slice(0, 1_000)}`);
}

function isSuch(
  { schema, contentType }: OtherReply,
  { contentType: sent, text }: Seen,
  name: string,
): boolean {
  if (contentType === '*/*') return true;
  const type = sent.split(';', 1)[0];
  if (contentType !== undefined) return type === contentType;
  if (schema === undefined) return text === '';
  return type === 'application/json' && checkOf(schema, name)(JSON.parse(text));
}

const checks = new Map<string, (value: unknown) => boolean>();

/** Compiled once for all apps of a file. */
function checkOf(schema: TSchema, name: string): (value: unknown) => boolean {
  let check = checks.get(name);
  if (check === undefined) {
    const compiled = Compile(closed(schema) as TSchema);
    check = (value) => compiled.Check(value);
    checks.set(name, check);
  }
  return check;
}

/** The schema with no room for members that it does not name, but where it says that there is. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (typeof node !== 'object' || node === null) return node;
  const members = Object.entries(node).map(([key, each]) => [key, closed(each)] as const);
  const { properties = {} } = node as { readonly properties?: object };
  const isOpen = Object.keys(properties).length === 0;
  return Object.fromEntries(isOpen ? members : [['additionalProperties', false] as const, ...members]);
}
