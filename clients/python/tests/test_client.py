from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from conftest import BASE, KEY, Watched, watched

from mcp_rank import (
    ApprovalRequiredError,
    AsyncMCPRankClient,
    ConnectError,
    MCPRankClient,
    MCPRankError,
    NotConnectedError,
)

EVENTS = "calendar/v3/calendars/primary/events"


def busy(_request: httpx.Request, _count: int) -> httpx.Response:
    return httpx.Response(503, json={"detail": "Not now", "code": "unavailable"}, headers={"retry-after": "0"})


def busy_once(request: httpx.Request, count: int) -> httpx.Response | None:
    return busy(request, count) if count == 1 else None


def test_search_one_query_several_at_once_and_page_by_page(rank: MCPRankClient) -> None:
    found = rank.search("remember facts", limit=3, tool_limit=1, explain=True, filters={"transport": ["streamable-http", "stdio"]})
    assert 0 < len(found["servers"]) <= 3
    assert found["metadata"]["query_log_id"]
    assert "explain" in found["servers"][0]
    assert len(rank.search_many([{"query": "weather"}, {"query": "files"}])) == 2
    whole = [hit["id"] for hit in rank.search("weather", limit=20)["servers"]]
    pages = [hit["id"] for hit, _ in zip(rank.search_all("weather", limit=5), range(20))]
    assert pages == whole


def test_a_failed_call_raises_what_the_service_said(rank: MCPRankClient) -> None:
    with pytest.raises(MCPRankError) as blank:
        rank.search(" ")
    assert (blank.value.status, blank.value.code) == (400, "invalid_request")
    assert blank.value.detail.startswith("query: ")
    assert (blank.value.request_id or "").startswith("req_")
    with pytest.raises(MCPRankError) as nowhere:
        rank.servers.get("nowhere/at all")
    assert nowhere.value.code == "not_found"
    with pytest.raises(MCPRankError) as lost:
        MCPRankClient("http://127.0.0.1:9", "x", retries=0).search("x")
    assert (lost.value.status, lost.value.code) == (0, "network")


def test_what_is_safe_is_tried_again_and_what_is_not_is_sent_once() -> None:
    searched = Watched(busy_once)
    watched(searched).search("weather")
    assert len(searched.sent) == 2

    outcome: Any = {"server_id": "memory", "tool_name": "read_graph", "success": True}
    recorded = Watched(busy_once)
    with pytest.raises(MCPRankError) as refused:
        watched(recorded).invocations.record(**outcome)
    assert (refused.value.status, refused.value.retry_after, len(recorded.sent)) == (503, 0.0, 1)
    keyed = Watched(busy_once)
    assert watched(keyed).invocations.record(**outcome, idempotency_key="python-once")["recorded"]
    assert len(keyed.sent) == 2

    never = Watched(busy)
    with pytest.raises(MCPRankError):
        watched(never).search("weather")
    assert len(never.sent) == 3, "tried twice again, and no more"
    patient = Watched(lambda _request, _count: httpx.Response(429, json={}, headers={"retry-after": "3600"}))
    with pytest.raises(MCPRankError) as limited:
        watched(patient).search("weather")
    assert (limited.value.retry_after, len(patient.sent)) == (3600.0, 1), "an hour is for the caller to wait"


def test_no_answer_in_time_is_not_sent_again() -> None:
    def late(request: httpx.Request, _count: int) -> httpx.Response:
        raise httpx.ReadTimeout("late", request=request)

    slow = Watched(late)
    with pytest.raises(MCPRankError) as timeout:
        watched(slow).search("weather")
    assert (timeout.value.code, len(slow.sent)) == ("timeout", 1)


def test_a_tool_is_called_and_what_it_asks_is_answered_or_handed_back(rank: MCPRankClient) -> None:
    assert "echo" in [tool["name"] for tool in rank.mcp.list_tools("fixture")]
    said: Any = rank.mcp.call_tool("fixture", "echo", {"message": "hi"}, idempotency_key="python-echo")
    assert said["content"] == [{"type": "text", "text": "Echo: hi"}]
    answer = {"name": {"action": "accept", "content": {"name": "Ada"}}}
    answered: Any = rank.mcp.call_tool("fixture", "who", on_input=lambda _asked: answer)
    assert answered["content"][0]["text"] == "Hello Ada"
    asked: Any = rank.mcp.call_tool("fixture", "who")
    assert asked["status"] == "input_required"
    gone: Any = rank.mcp.continue_tool("fixture", "who", continuation=asked["continuation"], responses=answer)
    assert gone["content"][0]["text"] == "Hello Ada"
    assert rank.mcp.call("fixture", "tools/list", id="x")["id"] == "x"
    assert rank.mcp.call("fixture", "no/such").get("error", {}).get("code") == -32601
    assert rank.mcp.server("fixture")["id"] == "fixture"


def test_a_call_that_somebody_has_to_approve_first(rank: MCPRankClient) -> None:
    rules = [{"effect": "ask", "tool": "echo", "self": True}]
    rank.request("PUT", "/v1/admin/toolsets/asking", body={"rules": rules, "default": "allow"})
    rank.request("PUT", "/v1/admin/toolsets/asking/bindings", body={"developers": ["admin"]})
    try:
        with pytest.raises(ApprovalRequiredError) as needed:
            rank.mcp.call_tool("fixture", "echo", {"message": "again"}, on_input=lambda _asked: {})
        rank.request("POST", f"/v1/admin/approvals/{needed.value.approval['id']}", body={"decision": "approve"})
        again: Any = rank.mcp.continue_tool("fixture", "echo", {"message": "again"}, continuation=needed.value.continuation)
        assert again["content"][0]["text"] == "Echo: again"
    finally:
        rank.request("DELETE", "/v1/admin/toolsets/asking")


def test_identity_step_by_step_and_a_user_whose_token_is_revoked(rank: MCPRankClient) -> None:
    first = rank.identity.token("carl")
    second = rank.identity.refresh(first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    carl = rank.user("carl")
    assert rank.user("carl") is carl
    before = carl.token()
    assert carl.token() == before
    rank.identity.revoke("carl")
    said: Any = carl.mcp.call_tool("fixture", "echo", {"message": "hi"})
    assert said["content"][0]["text"] == "Echo: hi", "another token was asked for by itself"
    assert carl.token() != before
    carl.delete()


def test_a_user_connects_a_provider_and_calls_go_through(rank: MCPRankClient, agree: Callable[[str], None]) -> None:
    dora = rank.user("dora")
    google = dora.proxy("google")
    with pytest.raises(NotConnectedError) as missing:
        google.request("GET", EVENTS)
    assert missing.value.session is not None and missing.value.session["id"].startswith("sess_")
    seen = dora.connect(lambda session: agree(session["auth_url"]), provider="google")
    assert seen["status"] == "complete"
    assert google.info() == {"provider": "google", "connected": True, "status": "active", "can_access": True}
    assert google.request("GET", f"/{EVENTS}").json()["items"][0]["summary"].startswith("day of ")
    assert google.request("GET", "calendar/v3/nothing").status_code == 404, "the provider's own failure is a reply"
    with pytest.raises(MCPRankError) as refused:
        google.request("GET", "calendar/v3/../x%00")
    assert refused.value.status == 400
    upload = "upload/drive/v3/files"
    sent = google.request("POST", upload, params={"uploadType": "multipart"}, content=(b"a" * 1000 for _ in range(3)))
    assert sent.json() == {"id": "multipart", "size": 3000}
    rank.identity.revoke("dora")
    assert google.info()["connected"] is False


def test_a_session_that_ends_without_a_connection_raises() -> None:
    over = Watched(
        lambda request, _count: httpx.Response(200, json={"session_id": "sess_x", "status": "error", "error": "Session expired"})
        if request.method == "GET"
        else None
    )
    with pytest.raises(ConnectError, match="Session expired"):
        watched(over).user("erna").connect(lambda _session: None, provider="google")


def test_the_same_with_await_and_one_token_for_all_who_wait(agree: Callable[[str], None]) -> None:
    sent: list[str] = []

    async def note(request: httpx.Request) -> None:
        sent.append(request.url.path)

    async def use() -> None:
        http = httpx.AsyncClient(event_hooks={"request": [note]})
        async with AsyncMCPRankClient(BASE, KEY, http=http) as rank:
            assert (await rank.search("weather", limit=1))["servers"]
            ids = [hit["id"] async for hit in rank.search_all("weather", limit=20)]
            assert len(ids) == len(set(ids)) > 20
            frank = rank.user("frank")
            tokens = await asyncio.gather(*(frank.token() for _ in range(10)))
            assert len(set(tokens)) == 1
            assert sent.count("/v1/identity/token") == 1

            async def answer(_asked: Any) -> Any:
                return {"name": {"action": "accept", "content": {"name": "Ada"}}}

            said: Any = await frank.mcp.call_tool("fixture", "who", on_input=answer)
            assert said["content"][0]["text"] == "Hello Ada"
            seen = await frank.connect(lambda session: asyncio.to_thread(agree, session["auth_url"]), provider="google")
            assert seen["status"] == "complete"
            assert (await frank.proxy("google").request("GET", EVENTS)).status_code == 200
            await frank.revoke()

    asyncio.run(use())


def test_the_users_own_keys_by_account_and_a_server_that_is_changed(rank: MCPRankClient) -> None:
    server = {"id": "pytest/crm", "name": "CRM", "remote_url": "https://crm.invalid/mcp", "tools": []}
    rank.request("POST", "/v1/admin/servers", body=server)
    rank.request("PATCH", "/v1/admin/servers/pytest%2Fcrm", body={"name": "Changed"})
    assert rank.servers.get("pytest/crm")["name"] == "Changed"
    transport = Watched(lambda request, _count: httpx.Response(200, json=seen_of(request)) if "/mcp/" in request.url.path else None)
    ann = watched(transport).user("pytest-ann")
    assert ann.account("work").mcp.call_tool("pytest/crm", "x")["content"] == ["work"]
    assert ann.account("work").mcp.call_tool("pytest/crm", "x", idempotency_key="k")["content"] == ["work"]
    assert ann.mcp.call_tool("pytest/crm", "x")["content"] == [""]
    assert ann.connections() == []
    with pytest.raises(MCPRankError) as refused:
        ann.put_credentials(server_id="pytest/crm", account="work", values={"key": "one"})
    assert refused.value.code == "conflict"
    with pytest.raises(MCPRankError) as nothing:
        ann.disconnect("con_none")
    assert nothing.value.code == "not_found"


def seen_of(request: httpx.Request) -> dict[str, Any]:
    return {"content": [request.headers.get("x-mcprank-account", "")], "isError": False}
