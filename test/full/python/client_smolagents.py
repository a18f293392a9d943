"""smolagents: lists the tools and calls one that echoes.   client_smolagents.py URL TOOL [AUTHORIZATION]"""

import json
import sys

from smolagents import MCPClient


def main(url: str, tool_name: str, authorization: str | None = None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    server = {"url": url, "transport": "streamable-http", "headers": headers}
    with MCPClient(server, structured_output=False) as tools:
        echo = next(tool for tool in tools if tool.name == tool_name)
        said = echo(message="hi")
        # It writes names as Python does.
        print(json.dumps({"tools": [t.name for t in tools], "content": said}))


main(*sys.argv[1:])
