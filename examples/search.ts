/**
 * Finds a tool for a task and calls it.
 *
 *   MCPRANK_URL=http://127.0.0.1:8787 MCPRANK_KEY=sk_mcp_rank_… npm run example examples/search.ts "remember that Ada likes tea"
 *
 * In this repository the package's own name leads to the built files (`npm run build`), or, with
 * `--conditions=mcprank-source`, to the sources.
 */
import { MCPRankClient } from 'mcprank/client';

const { MCPRANK_URL: baseUrl = 'http://127.0.0.1:8787', MCPRANK_KEY: apiKey = '' } = process.env;
const query = process.argv[2] ?? 'repeat a message';
const rank = new MCPRankClient({ baseUrl, apiKey });

const { servers, metadata } = await rank.search({ query, limit: 3, tool_limit: 2 });
for (const { id, match, final_score, tools } of servers)
  console.log(`${final_score.toFixed(2)} ${match} ${id}: ${tools.map(({ name }) => name).join(', ')}`);

const [best] = servers;
const [tool] = best?.tools ?? [];
if (best !== undefined && tool !== undefined) {
  const reply = await rank.mcp.callTool({
    server_id: best.id,
    name: tool.name,
    arguments: { message: query },
    query_log_id: metadata.query_log_id,
  });
  console.log(JSON.stringify(reply));
}
