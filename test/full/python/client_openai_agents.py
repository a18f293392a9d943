"""The OpenAI Agents SDK: lists the tools and calls one that echoes.   client_openai_agents.py URL TOOL [AUTHORIZATION]"""

import asyncio
import json
import sys

from agents.mcp import MCPServerStreamableHttp


async def main(url: str, tool_name: str, authorization: str | None = None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    async with MCPServerStreamableHttp(params={"url": url, "headers": headers}) as server:
        tools = await server.list_tools()
        said = await server.call_tool(tool_name, {"message": "hi"})
    print(json.dumps({"tools": [t.name for t in tools], "content": [c.model_dump(mode="json") for c in said.content]}))


asyncio.run(main(*sys.argv[1:]))
