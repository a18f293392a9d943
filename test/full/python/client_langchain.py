"""LangChain's adapters: lists the tools and calls one that echoes.   client_langchain.py URL TOOL [AUTHORIZATION]"""

import asyncio
import json
import sys

from langchain_mcp_adapters.client import MultiServerMCPClient


async def main(url: str, tool_name: str, authorization: str | None = None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    client = MultiServerMCPClient({"it": {"transport": "streamable_http", "url": url, "headers": headers}})
    tools = await client.get_tools()
    echo = next(tool for tool in tools if tool.name == tool_name)
    said = await echo.ainvoke({"message": "hi"})
    print(json.dumps({"tools": [t.name for t in tools], "content": [{"text": c["text"]} for c in said]}))


asyncio.run(main(*sys.argv[1:]))
