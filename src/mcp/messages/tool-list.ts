import { createBoundedCache } from '../../base/bounded-cache.ts';
import { itemsOf, type JsonView } from '../../base/json-scanner.ts';
import type { ServerRecord } from '../../catalog/catalog.ts';
import {
  type Channel,
  type RpcError,
  type RpcParams,
  type RpcReply,
  type SendOptions,
  UpstreamFailure,
} from '../mcp-model.ts';
import { type MirroredParam, mirror, mirroredParams } from './mirrored-headers.ts';
import { notMcp } from './rpc-message.ts';
import { ownParams } from './rpc-request.ts';

const maxPages = 200;
const maxTools = 10_000;
/** Servers whose mirrored arguments are kept in mind. */
const maxServers = 10_000;
const methodNotFound = -32601;

/** One tool as its server lists it; the text of its schema is the server's own. */
export type ListedTool = {
  readonly view: JsonView;
  readonly name: string;
  readonly description: string | undefined;
  readonly inputSchema: JsonView | undefined;
};

const toolShape = { name: true, description: true, inputSchema: true, outputSchema: true } as const;

/** A JSON-RPC error that the server itself gave, where a result was needed. */
export class RpcFailure extends UpstreamFailure {
  readonly code: number;

  constructor({ code, message }: RpcError) {
    super('protocol', message === '' ? `The server answered with error ${code}` : message.slice(0, 2_000));
    this.name = 'RpcFailure';
    this.code = code;
  }
}

export function resultIn(reply: RpcReply): JsonView {
  if ('error' in reply) throw new RpcFailure(reply.error);
  return reply.result;
}

/** All pages of tools/list; a server whose pages never end, or come round again, is cut off in words. */
export async function listAllTools(channel: Channel, options: SendOptions): Promise<readonly ListedTool[]> {
  const tools: ListedTool[] = [];
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (let page = 0; page < maxPages; page++) {
    const result = await listPage(channel, cursor, options);
    // A server with only prompts or resources has no such method, and no tools.
    if (result === null) return tools;
    tools.push(...toolsIn(result));
    if (tools.length > maxTools)
      throw new UpstreamFailure('too_large', `The server lists more than ${maxTools} tools`);
    cursor = result.present('nextCursor')?.string();
    if (cursor === undefined || cursor === '' || seen.has(cursor)) return tools;
    seen.add(cursor);
  }
  throw new UpstreamFailure('too_large', `The server's tools come on more than ${maxPages} pages`);
}

async function listPage(
  channel: Channel,
  cursor: string | undefined,
  options: SendOptions,
): Promise<JsonView | null> {
  const params = cursor === undefined ? {} : { params: ownParams({ cursor }) };
  const answer = await channel.send({ method: 'tools/list', ...params }, options);
  if (answer.kind === 'question') {
    answer.abandon();
    throw notMcp('it asks questions before it lists its tools');
  }
  const { reply } = answer;
  if ('error' in reply && reply.error.code === methodNotFound && cursor === undefined) return null;
  return resultIn(reply);
}

function toolsIn(result: JsonView): ListedTool[] {
  const tools = result.get('tools');
  if (tools === undefined || tools.kind === 'null') return [];
  if (tools.kind !== 'array') throw notMcp('its tools/list has no tools');
  return itemsOf(tools, toolShape).flatMap((view) => {
    const name = view.get('name')?.string() ?? '';
    const inputSchema = view.present('inputSchema');
    const isUsable = name !== '' && mirroredParams(inputSchema?.text() ?? '') !== null;
    return isUsable ? [{ view, name, description: view.get('description')?.string(), inputSchema }] : [];
  });
}

type Mirrored = { readonly revision: number; readonly tools: Map<string, readonly MirroredParam[]> };

/** Which tools of a server mirror arguments into headers: from the catalogue, corrected by what the server says. */
export function createMirrors() {
  // By id and revision: the catalogue hands out a new record now and then for what has not changed.
  const known = createBoundedCache<Mirrored>(maxServers);
  const toolsOf = ({ id, revision, tools: listed }: ServerRecord) => {
    const entry = known.get(id);
    if (entry?.revision === revision) return entry.tools;
    const tools = new Map(
      listed.flatMap(({ name, inputSchema }) => {
        const params = mirroredParams(inputSchema) ?? [];
        return params.length === 0 ? [] : [[name, params] as const];
      }),
    );
    known.set(id, { revision, tools });
    return tools;
  };
  return {
    headers(record: ServerRecord, params: Pick<RpcParams, 'name' | 'arguments'>) {
      const mirrored = toolsOf(record).get(params.name ?? '');
      return mirrored === undefined ? undefined : mirror(mirrored, params.arguments);
    },
    learn(record: ServerRecord, tools: readonly ListedTool[]): void {
      const map = toolsOf(record);
      map.clear();
      for (const { name, inputSchema } of tools) {
        const mirrored = mirroredParams(inputSchema?.text() ?? '') ?? [];
        if (mirrored.length > 0) map.set(name, mirrored);
      }
    },
  };
}
