"""Against a running service: test/full/python-client.test.ts starts it and says where it is."""

from __future__ import annotations

import os
from collections.abc import Callable

import httpx
import pytest

from mcp_rank import MCPRankClient

BASE, KEY = os.environ.get("BASE", ""), os.environ.get("KEY", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not BASE:
        for item in items:
            item.add_marker(pytest.mark.skip("needs BASE and KEY of a running service"))


@pytest.fixture
def rank() -> MCPRankClient:
    return MCPRankClient(BASE, KEY)


@pytest.fixture
def agree() -> Callable[[str], None]:
    """A person who opens a link and agrees."""
    return lambda url: httpx.get(os.environ["PERSON"], params={"url": url}, timeout=30).raise_for_status() and None


class Watched(httpx.HTTPTransport):
    """What was sent; ``before`` may answer in the service's place."""

    def __init__(self, before: Callable[[httpx.Request, int], httpx.Response | None] = lambda _request, _count: None) -> None:
        super().__init__()
        self.sent: list[str] = []
        self.before = before

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(f"{request.method} {request.url.path}")
        return self.before(request, len(self.sent)) or super().handle_request(request)


def watched(transport: Watched) -> MCPRankClient:
    return MCPRankClient(BASE, KEY, http=httpx.Client(transport=transport))
