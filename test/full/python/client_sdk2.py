"""The Python SDK, 2.x: lists the tools and calls one that echoes.   client_sdk2.py URL TOOL [AUTHORIZATION]"""

import asyncio
import json
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


async def main(url: str, tool_name: str, authorization: str | None = None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    async with httpx2.AsyncClient(headers=headers) as http:
        async with Client(streamable_http_client(url, http_client=http)) as client:
            tools = (await client.list_tools()).tools
            said = await client.call_tool(tool_name, {"message": "hi"})
    print(json.dumps({"tools": [t.name for t in tools], "content": [c.model_dump(mode="json") for c in said.content]}))


asyncio.run(main(*sys.argv[1:]))
