import { sha256Hex } from '../base/id.ts';
import { annotationsIn, defaultHints, hintsIn, type ToolHints } from '../base/tool-hints.ts';
import type { CatalogTool, ServerRecord } from './catalog-model.ts';

/** One tool of a server, as far as rules and records look at it. */
export type KnownTool = {
  readonly name: string;
  readonly hints: ToolHints;
  /** SHA-256 of what its server says it is; null where the catalogue does not know the tool. */
  readonly definition: string | null;
};

const known = new WeakMap<readonly CatalogTool[], Map<string, KnownTool>>();

/** A tool by its name; read once for each record of its server. */
export function toolNamed({ tools }: Pick<ServerRecord, 'tools'>, name: string): KnownTool {
  let ofServer = known.get(tools);
  if (ofServer === undefined) {
    ofServer = new Map();
    known.set(tools, ofServer);
  }
  const seen = ofServer.get(name);
  if (seen !== undefined) return seen;
  const tool = tools.find((each) => each.name === name);
  // Names are the caller's to choose: what there is not is not kept.
  if (tool === undefined) return { name, hints: defaultHints, definition: null };
  const read = { name, hints: hintsIn(tool.details), definition: definitionOf(tool) };
  ofServer.set(name, read);
  return read;
}

export function definitionOf({ name, description, inputSchema, details }: CatalogTool): string {
  return sha256Hex(JSON.stringify([name, description, inputSchema, annotationsIn(details)]));
}
