"""Tools that were found, as a model is offered them: as in the TypeScript client (sdk/agent/tools.ts)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ._async_client import AsyncMcp, AsyncMCPRankClient, AsyncUser
from .errors import MCPRankError, NotConnectedError

#: What all families of models take as a tool's name.
_LONGEST_NAME = 64
#: Characters of one result that a model reads.
_LONGEST_RESULT = 20_000


@dataclass(frozen=True)
class FoundTool:
    """A tool under a name that a model can call; ``call`` answers in words, also when it fails."""

    name: str
    description: str
    input_schema: dict[str, Any]
    server_id: str
    tool_name: str
    query_log_id: str
    mcp: AsyncMcp

    async def call(self, arguments: Mapping[str, Any]) -> str:
        try:
            reply = await self.mcp.call_tool(self.server_id, self.tool_name, arguments, query_log_id=self.query_log_id)
        except NotConnectedError as error:
            where = "" if error.session is None else f" at {error.session['auth_url']}"
            return f"The user has to connect this first{where}"
        except MCPRankError as error:
            return f"The call failed: {error.detail}"
        return text_of(reply)


async def find_tools(
    rank: AsyncMCPRankClient, query: str, *, user: AsyncUser | None = None, limit: int = 10, max_tools: int = 20
) -> list[FoundTool]:
    """The tools that fit a task, best server first, at most ``max_tools``; they are called in the user's name where there is one."""
    found = await rank.search(query, limit=limit)
    taken: set[str] = set()
    pairs = [(server, tool) for server in found["servers"] for tool in server["tools"]]
    return [
        FoundTool(
            name=_alias(tool["name"], server["id"], taken),
            description=f"{tool['description']} ({server['name']})",
            input_schema={"type": "object", "properties": {}, **tool["input_schema"]},
            server_id=server["id"],
            tool_name=tool["name"],
            query_log_id=found["metadata"]["query_log_id"],
            mcp=(user or rank).mcp,
        )
        for server, tool in pairs[:max_tools]
    ]


def text_of(reply: Mapping[str, Any], most: int = _LONGEST_RESULT) -> str:
    """What a model gets to read of a result."""
    if "content" not in reply:
        return json.dumps(reply)
    blocks = (block["text"] if isinstance(block.get("text"), str) else f"[{block.get('type')}]" for block in reply["content"])
    text = "\n".join(blocks)
    if text == "" and "structuredContent" in reply:
        text = json.dumps(reply["structuredContent"])
    return text if len(text) <= most else f"{text[:most]}\n[cut: {len(text) - most} more characters]"


def _alias(name: str, server_id: str, taken: set[str]) -> str:
    """The tool's own name; where that is taken, with its server's before it; where that is too, with a number."""
    own, qualified = _plain(name), _plain(f"{server_id.rsplit('/', 1)[-1]}__{name}")
    alias, number = (qualified, 2) if own in taken else (own, 2)
    while alias in taken:
        alias = f"{qualified[: _LONGEST_NAME - 1 - len(str(number))]}_{number}"
        number += 1
    taken.add(alias)
    return alias


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text)[:_LONGEST_NAME] or "tool"
