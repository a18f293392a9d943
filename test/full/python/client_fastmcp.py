"""FastMCP's client: lists the tools and calls one that echoes.   client_fastmcp.py URL TOOL [AUTHORIZATION]"""

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport


async def main(url: str, tool_name: str, authorization: str | None = None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    async with Client(StreamableHttpTransport(url, headers=headers)) as client:
        tools = await client.list_tools()
        said = await client.call_tool_mcp(tool_name, {"message": "hi"})
    print(json.dumps({"tools": [t.name for t in tools], "content": [c.model_dump(mode="json") for c in said.content]}))


asyncio.run(main(*sys.argv[1:]))
