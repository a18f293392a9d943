import { isObject, type JsonObject } from './json.ts';

/** What a tool does to the world, as its server says ("Tool annotations" of MCP), or by the protocol's defaults. */
export type ToolHints = {
  readonly readOnly: boolean;
  readonly destructive: boolean;
  readonly openWorld: boolean;
};

/** Of a tool that says nothing, or that nobody vouches for, the worst is to be expected. */
export const defaultHints: ToolHints = { readOnly: false, destructive: true, openWorld: true };

/** `details`: the text of a JSON object that may have the tool's `annotations`. */
export function hintsIn(details: string | undefined): ToolHints {
  const annotations = annotationsIn(details);
  if (annotations === null) return defaultHints;
  const { readOnlyHint, destructiveHint, openWorldHint } = annotations;
  const readOnly = readOnlyHint === true;
  // A tool that only reads destroys nothing: `destructiveHint` says something of the others alone.
  return {
    readOnly,
    destructive: !readOnly && destructiveHint !== false,
    openWorld: openWorldHint !== false,
  };
}

export function annotationsIn(details: string | undefined): JsonObject | null {
  if (details === undefined) return null;
  const { annotations } = JSON.parse(details) as { readonly annotations?: unknown };
  return isObject(annotations) ? annotations : null;
}

/** In a byte. */
export function packHints({ readOnly, destructive, openWorld }: ToolHints): number {
  return Number(readOnly) | (Number(destructive) << 1) | (Number(openWorld) << 2);
}

export function unpackHints(packed: number): ToolHints {
  return { readOnly: (packed & 1) !== 0, destructive: (packed & 2) !== 0, openWorld: (packed & 4) !== 0 };
}
