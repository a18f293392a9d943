"""The client of MCP Rank: search, outcomes, MCP calls, users, their connections and providers.

Requests and replies are typed from the OpenAPI document (``mcp_rank.types``) and are plain dicts, spelled as on the wire. A failed
call raises an ``MCPRankError`` with the service's own code; ``NotConnectedError`` when a user has to connect first. What is safe to
repeat is repeated, everything else is sent once. ``AsyncMCPRankClient`` is the same with ``await``.
"""

from ._async_client import AsyncMCPRankClient, AsyncUser
from ._client import MCPRankClient, User
from .errors import ApprovalRequiredError, ConnectError, MCPRankError, NotConnectedError

__all__ = [
    "ApprovalRequiredError",
    "AsyncMCPRankClient",
    "AsyncUser",
    "ConnectError",
    "MCPRankClient",
    "MCPRankError",
    "NotConnectedError",
    "User",
]
