/** One call of a tool, to be taken elsewhere: with the client libraries as docs/sdk.md and docs/python.md have them. */

export type SavedCall = {
  readonly server_id: string;
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly query_log_id?: string;
};

export function typescriptOf(baseUrl: string, call: SavedCall): string {
  return `import { MCPRankClient } from "mcprank/client";

const rank = new MCPRankClient({ baseUrl: ${JSON.stringify(baseUrl)}, apiKey: process.env.KEY ?? "" });
const reply = await rank.mcp.callTool(${JSON.stringify(call, null, 2)});
console.log(reply);`;
}

export function pythonOf(baseUrl: string, call: SavedCall): string {
  const { server_id, name, arguments: values, query_log_id } = call;
  const parts = [
    JSON.stringify(server_id),
    JSON.stringify(name),
    pythonLiteral(values),
    ...(query_log_id === undefined ? [] : [`query_log_id=${JSON.stringify(query_log_id)}`]),
  ];
  return `import os
from mcp_rank import MCPRankClient

rank = MCPRankClient(${JSON.stringify(baseUrl)}, os.environ["KEY"])
reply = rank.mcp.call_tool(${parts.join(', ')})
print(reply)`;
}

/** A JSON text is a Python string, too; three words differ. */
export function pythonLiteral(value: unknown): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(', ')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value as object).map(
    ([name, each]) => `${JSON.stringify(name)}: ${pythonLiteral(each)}`,
  );
  return `{${members.join(', ')}}`;
}
