import { isObject } from '../../base/json.ts';
import type { ServerRecord } from '../../catalog/catalog.ts';
import { type Channel, type Json, type RpcReply, type SendOptions, UpstreamFailure } from '../mcp-model.ts';
import { type MirroredParam, mirror, mirroredParams } from './mirrored-headers.ts';
import { notMcp } from './rpc-message.ts';

const maxPages = 200;
const maxTools = 10_000;
const annotation = 'x-mcp-header';
/** Servers whose mirrored arguments are kept in mind. */
const serversKept = 10_000;

/** A JSON-RPC error that the server itself gave, where a result was needed. */
class RpcFailure extends UpstreamFailure {
  readonly code: number;

  constructor({ code, message }: { readonly code: number; readonly message: string }) {
    super('protocol', message === '' ? `The server answered with error ${code}` : message.slice(0, 2_000));
    this.name = 'RpcFailure';
    this.code = code;
  }
}

/** All pages of tools/list; a server whose pages never end, or come round again, is cut off in words. */
export async function listAllTools(channel: Channel, options: SendOptions): Promise<readonly Json[]> {
  const tools: Json[] = [];
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (let page = 0; page < maxPages; page++) {
    const step = await channel.send(
      { method: 'tools/list', ...(cursor === undefined ? {} : { params: { cursor } }) },
      options,
    );
    if (step.kind === 'ask') {
      step.abandon();
      throw notMcp('it asks questions before it lists its tools');
    }
    const result = resultOf(step.reply);
    if (!Array.isArray(result.tools)) throw notMcp('its tools/list has no tools');
    for (const tool of result.tools as unknown[]) if (isUsable(tool)) tools.push(tool);
    if (tools.length > maxTools)
      throw new UpstreamFailure('too_large', `The server lists more than ${maxTools} tools`);
    const { nextCursor } = result;
    if (typeof nextCursor !== 'string' || nextCursor === '' || seen.has(nextCursor)) return tools;
    seen.add(nextCursor);
    cursor = nextCursor;
  }
  throw new UpstreamFailure('too_large', `The server's tools come on more than ${maxPages} pages`);
}

export function resultOf(reply: RpcReply): Json {
  if ('error' in reply) throw new RpcFailure(reply.error);
  return reply.result;
}

function isUsable(tool: unknown): tool is Json {
  if (!isObject(tool) || typeof tool.name !== 'string' || tool.name === '') return false;
  return mirroredParams(tool.inputSchema) !== null;
}

/** Which tools of a server mirror arguments into headers: from the catalogue, corrected by what the server says. */
export function createMirrors() {
  // By id and revision: the catalogue hands out a new record now and then for what has not changed.
  const known = new Map<
    string,
    { readonly revision: number; readonly tools: Map<string, readonly MirroredParam[]> }
  >();
  const of = ({ id, revision, tools: listed }: ServerRecord) => {
    const entry = known.get(id);
    if (entry?.revision === revision) return entry.tools;
    const tools = new Map<string, readonly MirroredParam[]>();
    for (const { name, inputSchema } of listed) {
      if (!inputSchema.includes(annotation)) continue;
      tools.set(name, mirroredParams(JSON.parse(inputSchema)) ?? []);
    }
    if (known.size >= serversKept) known.delete(known.keys().next().value ?? '');
    known.set(id, { revision, tools });
    return tools;
  };
  return {
    headers(record: ServerRecord, params: Json): Readonly<Record<string, string>> | undefined {
      const mirrored = of(record).get(String(params.name));
      return mirrored === undefined ? undefined : mirror(mirrored, params.arguments);
    },
    learn(record: ServerRecord, tools: readonly Json[]): void {
      const map = of(record);
      map.clear();
      for (const { name, inputSchema } of tools) {
        const mirrored = mirroredParams(inputSchema) ?? [];
        if (mirrored.length > 0) map.set(String(name), mirrored);
      }
    },
  };
}
