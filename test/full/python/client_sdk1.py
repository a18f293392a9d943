"""The Python SDK, 1.x: lists the tools and calls one that echoes.   client_sdk1.py URL TOOL [AUTHORIZATION]"""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


async def main(url: str, tool_name: str, authorization: str | None = None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    async with streamablehttp_client(url, headers=headers) as (reads, writes, _session_id):
        async with ClientSession(reads, writes) as session:
            await session.initialize()
            tools = (await session.list_tools()).tools
            said = await session.call_tool(tool_name, {"message": "hi"})
    print(json.dumps({"tools": [t.name for t in tools], "content": [c.model_dump(mode="json") for c in said.content]}))


asyncio.run(main(*sys.argv[1:]))
