"""pydantic-ai: lists the tools and calls one that echoes.   client_pydantic_ai.py URL TOOL [AUTHORIZATION]"""

import asyncio
import json
import sys

from pydantic_ai.mcp import MCPToolset


async def main(url: str, tool_name: str, authorization: str | None = None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    async with MCPToolset(url, headers=headers) as server:
        tools = await server.list_tools()
        said = await server.direct_call_tool(tool_name, {"message": "hi"})
    print(json.dumps({"tools": [t.name for t in tools], "content": said}))


asyncio.run(main(*sys.argv[1:]))
