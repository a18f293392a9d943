"""For the Python MCP SDK (``mcp``, 1.x and 2.x): a session with everything, or with one server.

    async with mcp_session(rank, server_id="memory") as session:
        print(await session.list_tools())
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx

from .._async_client import AsyncMCPRankClient, AsyncUser
from .._client import MCPRankClient

#: Seconds that a tool may be silent, as in the SDK itself.
_READ = 300.0


def endpoint(rank: AsyncMCPRankClient | MCPRankClient, server_id: str | None = None) -> str:
    """The URL of the MCP server that stands for everything, or for one server."""
    return f"{rank.base_url}/mcp" if server_id is None else f"{rank.base_url}/mcp/servers/{quote(server_id, safe='')}"


@asynccontextmanager
async def mcp_session(
    rank: AsyncMCPRankClient, *, server_id: str | None = None, user: AsyncUser | None = None
) -> AsyncIterator[Any]:
    """An initialised ``ClientSession`` (1.x) or ``Client`` (2.x); what they have in common are its methods."""
    headers = {"X-API-Key": rank.api_key}
    if user is not None:
        headers["Authorization"] = f"Bearer {await user.token()}"
    url = endpoint(rank, server_id)
    async with AsyncExitStack() as stack:
        yield await _open(stack, url, headers)


async def _open(stack: AsyncExitStack, url: str, headers: dict[str, str]) -> Any:
    try:
        from mcp import Client
    except ImportError:
        return await _open_1(stack, url, headers)
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(30, read=_READ)))
    return await stack.enter_async_context(Client(streamable_http_client(url, http_client=http)))


async def _open_1(stack: AsyncExitStack, url: str, headers: dict[str, str]) -> Any:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    http = await stack.enter_async_context(httpx.AsyncClient(headers=headers, timeout=httpx.Timeout(30, read=_READ)))
    read, write, _ = await stack.enter_async_context(streamable_http_client(url, http_client=http))
    session = await stack.enter_async_context(ClientSession(read, write))
    await session.initialize()
    return session
