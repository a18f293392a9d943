import { itemsOf, type JsonView, membersOf, scanJson } from '../../base/json-scanner.ts';
import { joinJson } from '../../base/json-splice.ts';
import type { RpcParams } from '../mcp-model.ts';

/**
 * One text for what says the same: members by name, no white space, strings in one spelling. Numbers stand as they came:
 * two that a parser would take for one are two.
 */
function canonicalJson(view: JsonView): string {
  if (view.kind === 'array') return `[${itemsOf(view).map(canonicalJson).join(',')}]`;
  if (view.kind === 'string') return JSON.stringify(view.string());
  if (view.kind !== 'object') return view.text();
  // A member that stands twice keeps its order: who reads the first one and who reads the last do not read the same.
  const members = membersOf(view).toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  return `{${members.map(({ name, value }) => `${JSON.stringify(name)}:${canonicalJson(value)}`).join(',')}}`;
}

/** What a request asks for, to be held against another one; its metadata aside. */
export function canonicalParams(params: RpcParams | undefined): string {
  return params === undefined ? '{}' : canonicalJson(scanJson(joinJson(['{', ...params.members, '}'])));
}
