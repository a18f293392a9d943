"""pydantic-ai: lists the tools and calls echo.   client_pydantic_ai.py URL [AUTHORIZATION]"""

import asyncio
import json
import sys

from pydantic_ai.mcp import MCPToolset


async def main(url: str, authorization: str | None = None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    async with MCPToolset(url, headers=headers) as server:
        tools = await server.list_tools()
        said = await server.direct_call_tool("echo", {"message": "hi"})
    print(json.dumps({"tools": [t.name for t in tools], "content": said}))


asyncio.run(main(*sys.argv[1:]))
