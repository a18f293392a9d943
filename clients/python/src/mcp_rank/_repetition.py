"""What may be sent again, and when: as in the TypeScript client (sdk/sender.ts)."""

from __future__ import annotations

import random

from .errors import MCPRankError

#: POSTs that change nothing, or whose repetition the service forgives: a refresh that is repeated gives the same successor.
_REPEATABLE_POSTS = frozenset(
    {
        "/v1/search",
        "/v1/mcp/tools/list",
        "/v1/identity/token",
        "/v1/identity/refresh",
        "/v1/identity/revoke",
        "/v1/identity/introspect",
    }
)
_PASSING = frozenset({429, 502, 503})
_FIRST_WAIT = 0.25
_LONGEST_WAIT = 8.0
#: When the service wants more patience than this, the caller shall decide.
_PATIENCE = 30.0


def is_repeatable(method: str, path: str) -> bool:
    return method == "GET" or (method == "POST" and path in _REPEATABLE_POSTS)


def wait_before(error: MCPRankError, turn: int) -> float | None:
    """Seconds until a failed call may be tried again; None: it may not."""
    if error.code != "network" and error.status not in _PASSING:
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= _PATIENCE else None
    # Full jitter: callers that failed together do not come back together.
    return random.random() * min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**turn)
