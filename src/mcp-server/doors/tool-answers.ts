/** Tools as they are listed and found, and what is answered about them. */
import type { JsonParts } from '../../base/json-splice.ts';
import type { AliasedTool } from '../features/aliases.ts';
import { withQualifiedPages } from '../features/resource-uris.ts';
import type { ResultBody } from '../revision-words.ts';
import { sessionInputSchema } from '../session-schemas.ts';
import type { Outcome } from './backend.ts';

/** Schemas as the clients of every revision can read them. */
export function listedTool({ alias, serverId, tool }: AliasedTool): JsonParts {
  const { description, inputSchema } = tool;
  const details = withQualifiedPages(tool.details ?? '{}', serverId);
  const head = JSON.stringify({ name: alias, description }).slice(0, -1);
  const more = details.slice(1, -1);
  return [`${head},"inputSchema":`, ...sessionInputSchema(inputSchema), more === '' ? '}' : `,${more}}`];
}

export function separated(items: readonly JsonParts[]): JsonParts {
  return items.flatMap((parts, i) => (i === 0 ? parts : [',', ...parts]));
}

/** A tool with what else there is to say of it; its schema keeps its text. */
export function described(
  members: Readonly<Record<string, string>>,
  tool: { readonly name: string; readonly description: string; readonly inputSchema: string },
): JsonParts {
  const { name, description, inputSchema } = tool;
  const head = JSON.stringify({ ...members, name, description }).slice(0, -1);
  return [`${head},"input_schema":`, inputSchema, '}'];
}

/** An object as structured content, and as text for clients that read no structure. */
export function answered(object: JsonParts): Outcome {
  const text = JSON.stringify(object.map(String).join(''));
  const members = ['"content":[{"type":"text","text":', text, '}],"structuredContent":', ...object];
  return { kind: 'result', body: { members } };
}

export function failed(text: string): Outcome & { readonly kind: 'result' } {
  const members = ['"content":', JSON.stringify([{ type: 'text', text }]), ',"isError":true'];
  return { kind: 'result', body: { members } };
}

/** A result as JSON of its own. */
export function resultOf(body: ResultBody): JsonParts {
  return 'view' in body ? [body.view.span()] : ['{', ...body.members, '}'];
}
