"""What the asynchronous client waits with; _io_sync.py has the same names without waiting."""

from __future__ import annotations

import inspect
from asyncio import Lock, sleep
from collections.abc import Awaitable, Callable
from typing import TypeVar

from httpx import AsyncClient as HttpClient

_In = TypeVar("_In")
_Out = TypeVar("_Out")
Callback = Callable[[_In], _Out | Awaitable[_Out]]


async def call(act: Callback[_In, _Out], value: _In) -> _Out:
    """The caller's own function, whichever kind it is."""
    result = act(value)
    return await result if inspect.isawaitable(result) else result


__all__ = ["Callback", "HttpClient", "Lock", "call", "sleep"]
