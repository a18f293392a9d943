"""Each with its framework, where that is installed."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import BASE, KEY

from mcp_rank import AsyncMCPRankClient, MCPRankClient

WANTED = "echo a message back"


def test_openai_agents() -> None:
    pytest.importorskip("agents")
    from mcp_rank.adapters.openai_agents import search_tools

    async def use() -> None:
        async with AsyncMCPRankClient(BASE, KEY) as rank:
            tools = await search_tools(rank, WANTED, user=rank.user("gerd"))
            echo = next(tool for tool in tools if tool.name == "echo")
            assert "message" in echo.params_json_schema["properties"]
            context: Any = None
            assert await echo.on_invoke_tool(context, '{"message": "hi"}') == "Echo: hi"
            assert (await echo.on_invoke_tool(context, '{"message": 7}')) != "", "a failure is told in words"

    asyncio.run(use())


def test_langchain() -> None:
    pytest.importorskip("langchain_core")
    from mcp_rank.adapters.langchain import search_tools

    async def use() -> None:
        async with AsyncMCPRankClient(BASE, KEY) as rank:
            tools = await search_tools(rank, WANTED)
            echo = next(tool for tool in tools if tool.name == "echo")
            assert await echo.ainvoke({"message": "hi"}) == "Echo: hi"

    asyncio.run(use())


def test_outcomes_of_tools_follow_their_search() -> None:
    from mcp_rank._tools import find_tools

    sent: list[dict[str, Any]] = []

    async def note(request: httpx.Request) -> None:
        if request.url.path == "/v1/mcp/tools/call":
            sent.append(json.loads(request.content))

    async def use() -> None:
        async with AsyncMCPRankClient(BASE, KEY, http=httpx.AsyncClient(event_hooks={"request": [note]})) as rank:
            tools = await find_tools(rank, WANTED, max_tools=3)
            assert len(tools) <= 3 and len({tool.name for tool in tools}) == len(tools)
            echo = next(tool for tool in tools if tool.tool_name == "echo")
            assert await echo.call({"message": "hi"}) == "Echo: hi"
            assert [body["query_log_id"] for body in sent] == [echo.query_log_id]

    asyncio.run(use())


def test_two_tools_of_one_name_have_names_of_their_own() -> None:
    from mcp_rank._tools import _alias

    taken: set[str] = set()
    names = [_alias("send mail", server, taken) for server in ("a/mail", "b/mail", "c/mail", "d/" + "x" * 80)]
    assert names[:3] == ["send_mail", "mail__send_mail", "mail__send_mail_2"]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in names)


@pytest.mark.parametrize("server_id", [None, "fixture"])
def test_the_mcp_sdk(server_id: str | None) -> None:
    pytest.importorskip("mcp")
    from mcp_rank.adapters.mcp import mcp_session

    async def use() -> None:
        async with AsyncMCPRankClient(BASE, KEY) as rank:
            async with mcp_session(rank, server_id=server_id, user=rank.user("hans")) as session:
                names = [tool.name for tool in (await session.list_tools()).tools]
                if server_id is None:
                    assert "search_tools" in names
                    return
                said = await session.call_tool("echo", {"message": "hi"})
                assert said.content[0].text == "Echo: hi"

    asyncio.run(use())


def test_google_in_ten_lines_as_documented(rank: MCPRankClient, agree: Callable[[str], None], capsys: Any) -> None:
    pytest.importorskip("googleapiclient")
    document = (Path(__file__).parents[3] / "docs/python.md").read_text()
    (shown,) = re.findall(r"```python\n(from mcp_rank\.adapters\.google .*?)```", document, re.S)
    assert len(shown.strip().splitlines()) <= 10
    ann = rank.user("ann")
    ann.connect(lambda session: agree(session["auth_url"]), provider="google")
    scope: dict[str, Any] = {"rank": rank}
    exec(shown, scope)
    assert "day of " in capsys.readouterr().out
    # A token that is no good any more is replaced by itself.
    calendar = scope["calendar"]
    calendar._http.credentials._user._tokens._held["access_token"] = "no.good.token"
    assert calendar.events().list(calendarId="primary").execute()["items"]
    ann.revoke()


def test_every_program_of_the_document_runs(rank: MCPRankClient, agree: Callable[[str], None]) -> None:
    """One after the other, as the page shows them; what needs a framework has its own test above."""
    document = (Path(__file__).parents[3] / "docs/python.md").read_text()
    shown = [text for text in re.findall(r"```python\n(.*?)```", document, re.S) if "adapters" not in text]
    assert len(shown) >= 5
    scope: dict[str, Any] = {"BASE": BASE, "KEY": KEY, "send_to_browser": agree, "os": os}
    for text in shown:
        if "await " in text:
            text = "import asyncio\nasync def _main():\n" + re.sub(r"^", "    ", text, flags=re.M) + "\nasyncio.run(_main())"
        exec(text, scope)
