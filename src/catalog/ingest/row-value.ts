import { isUtf8 } from 'node:buffer';
import { isObject } from '../../base/json.ts';
import { itemsOf, JsonFault, type JsonShape, type JsonView, scanJson } from '../../base/json-scanner.ts';
import { JsonText } from '../../base/json-text.ts';

/** Deeper than any schema, and far from the end of the stack. */
const maxDepth = 1_000;
const schemaNames = ['inputSchema', 'input_schema'] as const;
const toolShape: JsonShape = { inputSchema: true, input_schema: true };

/** JSON from outside; what is not UTF-8 in it is read as any decoder reads it. Throws JsonFault. */
export function scanOutsideJson(bytes: Buffer, shape: JsonShape): JsonView {
  return scanJson(isUtf8(bytes) ? bytes : Buffer.from(bytes.toString('utf8')), shape, maxDepth);
}

/** The value of a row's text, each tool's schema in it as the text that came. Throws SyntaxError. */
export function parseRow(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (!isObject(value) || !Array.isArray(value.tools)) return value;
  try {
    const views = itemsOf(scanJson(Buffer.from(text), { tools: true }, maxDepth).get('tools')!, toolShape);
    return { ...value, tools: value.tools.map((tool: unknown, i) => withSchemaText(tool, views[i])) };
  } catch (error) {
    // Nested too deeply, or a member twice: which text is meant is not clear, so the value stands.
    if (error instanceof JsonFault) return value;
    throw error;
  }
}

function withSchemaText(tool: unknown, view: JsonView | undefined): unknown {
  if (!isObject(tool) || view === undefined) return tool;
  const schemas = schemaNames.flatMap((name) => {
    const schema = view.present(name);
    return schema === undefined ? [] : [[name, new JsonText(schema.text())] as const];
  });
  return { ...tool, ...Object.fromEntries(schemas) };
}
