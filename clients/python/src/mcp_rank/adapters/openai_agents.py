"""For the OpenAI Agents SDK (``openai-agents``).

    tools = await search_tools(rank, "remember facts about people")
    agent = Agent(name="assistant", tools=tools)
"""

from __future__ import annotations

import json
from typing import Any

from agents import FunctionTool

from .._async_client import AsyncMCPRankClient, AsyncUser
from .._tools import FoundTool, find_tools


async def search_tools(
    rank: AsyncMCPRankClient, query: str, *, user: AsyncUser | None = None, limit: int = 10, max_tools: int = 20
) -> list[FunctionTool]:
    """Tools that fit the task; outcomes are recorded with the search they followed."""
    return [_function_tool(found) for found in await find_tools(rank, query, user=user, limit=limit, max_tools=max_tools)]


def _function_tool(found: FoundTool) -> FunctionTool:
    async def invoke(_context: Any, arguments: str) -> str:
        return await found.call(json.loads(arguments or "{}"))

    # Schemas of MCP servers are seldom "strict" in OpenAI's sense: optional members are the rule.
    return FunctionTool(
        name=found.name,
        description=found.description,
        params_json_schema=found.input_schema,
        on_invoke_tool=invoke,
        strict_json_schema=False,
    )
