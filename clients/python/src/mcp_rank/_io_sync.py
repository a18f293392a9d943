"""What the client without ``await`` waits with; the names are those of _io_async.py."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import sleep
from typing import TypeVar

from httpx import Client as HttpClient

_In = TypeVar("_In")
_Out = TypeVar("_Out")
Callback = Callable[[_In], _Out]


def call(act: Callback[_In, _Out], value: _In) -> _Out:
    return act(value)


__all__ = ["Callback", "HttpClient", "Lock", "call", "sleep"]
