/** Several independent calls in one: what is asked, and what comes of it. */
import { itemsOf, type JsonView, scanJson } from '../../base/json-scanner.ts';
import type { JsonParts } from '../../base/json-splice.ts';
import { isLarge, scanLarge, scanLargeItems } from '../../base/large-json.ts';
import { Problem } from '../../base/problem.ts';

export type NamedCall = {
  readonly serverId: string;
  readonly name: string;
  /** As they came; undefined: none. */
  readonly arguments: JsonView | undefined;
};

export const mostCalls = 10;
const listShape = { calls: true } as const;
const namedShape = { server_id: true, name: true, arguments: true } as const;

/** The call that an object names. Throws a Problem that says which field is wrong. */
function readCall(view: JsonView | undefined, at = ''): NamedCall {
  const textOf = (field: 'server_id' | 'name') => {
    const text = view?.get(field)?.string();
    if (text !== undefined && text !== '' && text.length <= 1_000) return text;
    throw new Problem('invalid_request', `${at}${field}: expected a text of 1 to 1000 characters`);
  };
  const call = { serverId: textOf('server_id'), name: textOf('name') };
  const args = view?.present('arguments');
  if (args !== undefined && args.kind !== 'object')
    throw new Problem('invalid_request', `${at}arguments: expected an object`);
  return { ...call, arguments: args };
}

export async function readNamedCall(args: JsonView | undefined): Promise<NamedCall> {
  if (args === undefined) return readCall(undefined);
  const span = args.span();
  return readCall(isLarge(span) ? await scanLarge(span, namedShape) : scanJson(span, namedShape));
}

export async function readCalls(args: JsonView | undefined): Promise<readonly NamedCall[]> {
  const items = await itemsIn(args);
  if (items.length === 0 || items.length > mostCalls)
    throw new Problem('invalid_request', `calls: expected a list of 1 to ${mostCalls} calls`);
  return items.map((item, i) => readCall(item, `calls[${i}].`));
}

async function itemsIn(args: JsonView | undefined): Promise<readonly JsonView[]> {
  if (args === undefined) return [];
  const span = args.span();
  const view = isLarge(span) ? await scanLarge(span, listShape) : scanJson(span, listShape);
  const list = view.present('calls');
  if (list?.kind !== 'array') return [];
  return isLarge(list.span()) ? scanLargeItems(list.span(), namedShape) : itemsOf(list, namedShape);
}

/** As much as one server may answer: all of it is copied for clients that read no structure, while everybody else waits. */
const mostBytes = 8_500_000;

/** The results that fit beside each other, in their order, and of each other one what `instead` says of its length. */
export function fitTogether(
  results: readonly JsonParts[],
  instead: (bytes: number) => JsonParts,
): readonly JsonParts[] {
  let left = mostBytes;
  return results.map((parts) => {
    const bytes = parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
    if (bytes > left) return instead(bytes);
    left -= bytes;
    return parts;
  });
}

/** `results`: one a call, in their order, each the JSON of a tool's result. */
export function joinResults(calls: readonly NamedCall[], results: readonly JsonParts[]): JsonParts {
  const parts = calls.flatMap(({ serverId, name }, i) => {
    const head = JSON.stringify({ server_id: serverId, name }).slice(0, -1);
    return [i === 0 ? '' : ',', `${head},"result":`, ...(results[i] ?? []), '}'];
  });
  return ['{"results":[', ...parts, ']}'];
}
