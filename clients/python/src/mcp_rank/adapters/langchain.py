"""For LangChain and LangGraph (``langchain-core``).

    tools = await search_tools(rank, "remember facts about people")
    agent = create_agent(model, tools)
"""

from __future__ import annotations

from typing import Any

from langchain_core.tools import StructuredTool

from .._async_client import AsyncMCPRankClient, AsyncUser
from .._tools import FoundTool, find_tools


async def search_tools(
    rank: AsyncMCPRankClient, query: str, *, user: AsyncUser | None = None, limit: int = 10, max_tools: int = 20
) -> list[StructuredTool]:
    """Tools that fit the task; outcomes are recorded with the search they followed."""
    return [_structured_tool(found) for found in await find_tools(rank, query, user=user, limit=limit, max_tools=max_tools)]


def _structured_tool(found: FoundTool) -> StructuredTool:
    async def invoke(**arguments: Any) -> str:
        return await found.call(arguments)

    return StructuredTool.from_function(
        coroutine=invoke, name=found.name, description=found.description, args_schema=found.input_schema
    )
