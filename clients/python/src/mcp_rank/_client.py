"""Written by clients/generate.ts from _async_client.py. Do not edit."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Unpack, cast
from urllib.parse import quote

import httpx

from ._io_sync import Callback, HttpClient, Lock, call, sleep
from ._repetition import is_repeatable, wait_before
from .errors import ApprovalRequiredError, ConnectError, MCPRankError, error_of
from .types import (
    ApprovalNeeded,
    Connection,
    ConnectRequest,
    InputNeeded,
    Invocation,
    McpTool,
    OwnCredentials,
    ProviderInfo,
    RecordedInvocation,
    RpcEnvelope,
    SearchHit,
    SearchOptions,
    SearchQuery,
    SearchResult,
    Server,
    ServerBasics,
    ServerPage,
    Session,
    SessionStatus,
    TokenSet,
    ToolCallOptions,
    ToolResult,
)

#: Users whose tokens are kept; whoever was not seen for longest is forgotten first.
_USERS_KEPT = 10_000
#: Seconds; a token that ends on its way is worth nothing.
_MARGIN = 60.0
#: Seconds that one poll is held open.
_POLL = 25
#: A server that asks again and again is cut off.
_MOST_QUESTIONS = 20

Json = Mapping[str, Any]
ToolReply = ToolResult | InputNeeded | ApprovalNeeded
#: Answers what a server asks, by the same names; called as often as it asks.
OnInput = Callback[Json, Json]


class Sender:
    """Sends one call of the API, again where that is safe, and raises what failed."""

    def __init__(self, base_url: str, api_key: str, retries: int, timeout: float, http: HttpClient | None) -> None:
        self.base = base_url.rstrip("/")
        self.api_key = api_key
        self.retries = retries
        self.http = http or HttpClient(timeout=timeout, follow_redirects=False)

    def send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Json | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> Any:
        tries = self.retries if repeatable or is_repeatable(method, path) else 0
        turn = 0
        while True:
            try:
                return self._once(method, path, body=body, query=query, headers=headers)
            except MCPRankError as error:
                wait = wait_before(error, turn) if turn < tries else None
                if wait is None:
                    raise
            sleep(wait)
            turn += 1

    def _once(self, method: str, path: str, *, body: object, query: Json | None, headers: Mapping[str, str] | None) -> Any:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        more: dict[str, Any] = {} if body is None else {"json": body}
        reply = self.raw(method, path, params=given or None, headers=dict(headers or {}), **more)
        if not reply.is_success:
            raise error_of(reply)
        return reply.json()

    def raw(self, method: str, path: str, *, headers: dict[str, str], **options: Any) -> httpx.Response:
        """Any path, any body; the reply as it comes, failed or not. Never repeated."""
        headers = {**headers, "x-api-key": self.api_key}
        try:
            return self.http.request(method, f"{self.base}{path}", headers=headers, **options)
        except httpx.TimeoutException as error:
            raise MCPRankError("No answer in time", code="timeout") from error
        except httpx.TransportError as error:
            raise MCPRankError("The service cannot be reached", code="network") from error


class Tokens:
    """The MIT of one user: asked for when it is first needed, refreshed before it ends, by one caller for all who wait."""

    def __init__(self, sender: Sender, user_id: str) -> None:
        self._sender = sender
        self._user_id = user_id
        self._held: TokenSet | None = None
        self._fresh_until = 0.0
        self._lock = Lock()

    def token(self) -> str:
        with self._lock:
            # Life counts from when it was asked for, by our own clock: clocks differ, durations do not.
            asked = time.monotonic()
            if self._held is None or self._fresh_until <= asked:
                self._held = self._fetch(self._held)
                self._fresh_until = asked + self._held["expires_in"] - _MARGIN
            return self._held["access_token"]

    def _fetch(self, held: TokenSet | None) -> TokenSet:
        if held is not None:
            try:
                body = {"refresh_token": held["refresh_token"]}
                return cast(TokenSet, self._sender.send("POST", "/v1/identity/refresh", body=body))
            except MCPRankError as error:
                if error.code != "invalid_grant":
                    raise
        return cast(TokenSet, self._sender.send("POST", "/v1/identity/token", body={"user_id": self._user_id}))

    def forget(self, token: str | None = None) -> None:
        """It is no longer good, or shall no longer be; with ``token``, where it is still that one."""
        if token is None or (self._held is not None and self._held["access_token"] == token):
            self._held = None

    def send(self, method: str, path: str, **options: Any) -> Any:
        """As this user; where the token was refused, once more with another."""
        given = options.pop("headers", None) or {}
        token = self.token()
        try:
            return self._sender.send(method, path, headers={**given, "authorization": f"Bearer {token}"}, **options)
        except MCPRankError as error:
            # Refused at the door, before anything ran: revoked, or signed with a key that is gone.
            if error.code != "invalid_token":
                raise
        self.forget(token)
        token = self.token()
        return self._sender.send(method, path, headers={**given, "authorization": f"Bearer {token}"}, **options)


class Mcp:
    """MCP servers, in the key's name or a user's."""

    def __init__(self, sender: Sender | Tokens | Account) -> None:
        self._sender = sender

    def server(self, server_id: str) -> ServerBasics:
        return cast(ServerBasics, self._sender.send("GET", "/v1/mcp/server", query={"server_id": server_id}))

    def list_tools(self, server_id: str) -> list[McpTool]:
        reply = self._sender.send("POST", "/v1/mcp/tools/list", body={"server_id": server_id})
        return cast(list[McpTool], reply["tools"])

    def call(self, server_id: str, method: str, params: Json | None = None, *, id: str | int = 1) -> RpcEnvelope:
        """Any method; a JSON-RPC error is in the envelope and is not raised."""
        body: dict[str, Any] = {"server_id": server_id, "method": method, "id": id}
        if params is not None:
            body["params"] = params
        return cast(RpcEnvelope, self._sender.send("POST", "/v1/mcp/call", body=body))

    def call_tool(
        self,
        server_id: str,
        name: str,
        arguments: Json | None = None,
        *,
        idempotency_key: str | None = None,
        on_input: OnInput | None = None,
        **options: Unpack[ToolCallOptions],
    ) -> ToolReply:
        """The tool's result; its own failure is a result too (``isError``).

        With ``idempotency_key`` there is one execution, and the call may be repeated when its answer was lost. With ``on_input``
        what the server asks is answered on the way, and ``ApprovalRequiredError`` is raised where a person has to agree first.
        """
        asked: dict[str, Any] = {"server_id": server_id, "name": name, "arguments": arguments or {}, **options}
        headers = None if idempotency_key is None else {"idempotency-key": idempotency_key}
        reply = cast(
            ToolReply,
            self._sender.send(
                "POST", "/v1/mcp/tools/call", body=asked, headers=headers, repeatable=idempotency_key is not None
            ),
        )
        if on_input is None:
            return reply
        for _ in range(_MOST_QUESTIONS):
            if "approval" in reply:
                raise ApprovalRequiredError(cast(ApprovalNeeded, reply))
            if "input_requests" not in reply:
                return reply
            needed = cast(InputNeeded, reply)
            responses = call(on_input, needed["input_requests"])
            reply = self.continue_tool(server_id, name, arguments, continuation=needed["continuation"], responses=responses)
        return reply

    def continue_tool(
        self,
        server_id: str,
        name: str,
        arguments: Json | None = None,
        *,
        continuation: str,
        responses: Json | None = None,
    ) -> ToolReply:
        """Goes on with a call that needed input, or has been approved."""
        body = {
            "server_id": server_id,
            "name": name,
            "arguments": arguments or {},
            "continuation": continuation,
            "input_responses": responses or {},
        }
        return cast(ToolReply, self._sender.send("POST", "/v1/mcp/tools/call", body=body))


class Proxy:
    """One provider's API, as one user; see docs/proxy.md for its paths."""

    def __init__(self, sender: Sender, tokens: Tokens, provider: str, headers: Mapping[str, str] | None = None) -> None:
        self._sender = sender
        self._tokens = tokens
        self._headers = headers or {}
        self._path = f"/v1/proxy/{quote(provider, safe='')}"

    def info(self) -> ProviderInfo:
        """Whether the user has connected the provider."""
        return cast(ProviderInfo, self._tokens.send("GET", f"{self._path}/info", headers=self._headers))

    def request(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any) -> httpx.Response:
        """The provider's reply, whatever its status; raises where the service itself refused. Options are those of httpx."""
        for is_last in (False, True):
            token = self._tokens.token()
            given = {**(headers or {}), **self._headers, "authorization": f"Bearer {token}"}
            reply = self._sender.raw(method, f"{self._path}/{path.lstrip('/')}", headers=given, **options)
            if reply.is_success or reply.headers.get("x-proxy-origin") == "upstream":
                return reply
            error = error_of(reply)
            # What was refused at the door can be sent again; a stream is gone once it was sent.
            if is_last or error.code != "invalid_token" or not _can_be_resent(options.get("content")):
                raise error
            self._tokens.forget(token)
        raise AssertionError("unreachable")


def _can_be_resent(content: object) -> bool:
    return content is None or isinstance(content, (bytes, str))


class Account:
    """A user by one of several accounts of theirs."""

    def __init__(self, sender: Sender, tokens: Tokens, name: str) -> None:
        self._sender = sender
        self._tokens = tokens
        self._headers = {"x-mcprank-account": name}
        self.mcp = Mcp(self)

    def proxy(self, provider: str) -> Proxy:
        return Proxy(self._sender, self._tokens, provider, self._headers)

    def send(self, method: str, path: str, **options: Any) -> Any:
        given = options.pop("headers", None) or {}
        return self._tokens.send(method, path, headers={**given, **self._headers}, **options)


class User:
    """One user of your app. Tokens come and are renewed by themselves; every call acts for this user."""

    def __init__(self, sender: Sender, user_id: str) -> None:
        self.id = user_id
        self._sender = sender
        self._tokens = Tokens(sender, user_id)
        self.mcp = Mcp(self._tokens)

    def token(self) -> str:
        """A MIT that is good for at least another minute."""
        return self._tokens.token()

    def forget_token(self) -> None:
        """It was refused somewhere: the next one is asked for anew."""
        self._tokens.forget()

    def proxy(self, provider: str) -> Proxy:
        return Proxy(self._sender, self._tokens, provider)

    def account(self, name: str) -> Account:
        """By this one of several accounts, which a session or the user named; else it is their default."""
        return Account(self._sender, self._tokens, name)

    def connections(self) -> list[Connection]:
        """What is connected for the user; never a token."""
        reply = self._sender.send("GET", "/v1/identity/connections", query={"user_id": self.id})
        return cast(list[Connection], reply["connections"])

    def disconnect(self, connection_id: str) -> None:
        """Gone here at once, and revoked where tokens can be."""
        self._sender.send("DELETE", f"/v1/identity/connections/{quote(connection_id, safe='')}")

    def put_credentials(self, **credentials: Unpack[OwnCredentials]) -> Connection:
        """The user's own key for an MCP server, tried there before it is kept."""
        body = {**credentials, "user_id": self.id}
        return cast(Connection, self._sender.send("POST", "/v1/identity/credentials", body=body))

    def create_session(self, **request: Unpack[ConnectRequest]) -> Session:
        body = {**request, "user_id": self.id}
        return cast(Session, self._sender.send("POST", "/v1/identity/sessions", body=body))

    def session_status(self, session_id: str, *, wait: int | None = None) -> SessionStatus:
        path = f"/v1/identity/sessions/{quote(session_id, safe='')}"
        return cast(SessionStatus, self._sender.send("GET", path, query={"wait": wait}))

    def wait_for_session(self, session_id: str) -> SessionStatus:
        """Until the session is over, whichever way, or a code has to be typed in."""
        while True:
            seen = self.session_status(session_id, wait=_POLL)
            if seen["status"] != "pending" or seen.get("awaiting") == "confirmation":
                return seen

    def confirm_session(self, session_id: str, completion_code: str) -> SessionStatus:
        path = f"/v1/identity/sessions/{quote(session_id, safe='')}/confirm"
        body = {"user_id": self.id, "completion_code": completion_code}
        return cast(SessionStatus, self._sender.send("POST", path, body=body))

    def connect(self, open: Callback[Session, object], **request: Unpack[ConnectRequest]) -> SessionStatus:
        """Opens a session, hands it to ``open``, and waits until the user is connected. Raises ``ConnectError``."""
        session = self.create_session(**request)
        call(open, session)
        seen = self.wait_for_session(session["session_id"])
        if seen["status"] == "error":
            raise ConnectError(seen.get("error", "The session failed"))
        return seen

    def revoke(self) -> None:
        """Ends all MITs and refresh tokens of the user and deletes the stored provider tokens."""
        self._sender.send("POST", "/v1/identity/revoke", body={"user_id": self.id})
        self._tokens.forget()

    def delete(self) -> None:
        """Nothing of the user stays."""
        self._sender.send("DELETE", f"/v1/identity/users/{quote(self.id, safe='')}")
        self._tokens.forget()


class Identity:
    """The steps one by one, for programs that keep tokens themselves; ``user`` does them by itself."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def token(self, user_id: str) -> TokenSet:
        """A MIT and a refresh token; an unknown user is created."""
        return cast(TokenSet, self._sender.send("POST", "/v1/identity/token", body={"user_id": user_id}))

    def refresh(self, refresh_token: str) -> TokenSet:
        body = {"refresh_token": refresh_token}
        return cast(TokenSet, self._sender.send("POST", "/v1/identity/refresh", body=body))

    def revoke(self, user_id: str) -> None:
        self._sender.send("POST", "/v1/identity/revoke", body={"user_id": user_id})


class Invocations:
    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def record(self, *, respond_async: bool = False, **invocation: Unpack[Invocation]) -> RecordedInvocation:
        """What came of a call that went to the tool directly; calls through ``mcp`` are recorded by the service."""
        headers = {"prefer": "respond-async"} if respond_async else None
        repeatable = "idempotency_key" in invocation
        reply = self._sender.send("POST", "/v1/invocations", body=invocation, headers=headers, repeatable=repeatable)
        return cast(RecordedInvocation, reply)


class Servers:
    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def get(self, server_id: str) -> Server:
        return cast(Server, self._sender.send("GET", f"/v1/servers/{quote(server_id, safe='')}"))

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> ServerPage:
        return cast(ServerPage, self._sender.send("GET", "/v1/servers", query={"limit": limit, "cursor": cursor}))


class MCPRankClient:
    """``base_url`` and ``api_key`` are all it needs. The key belongs to a server of yours, not to your users.

    ``retries``: times that a safe call is tried again. ``timeout``: seconds without a byte, a little over what the service itself
    allows a tool. ``http``: an httpx client of your own in place of one made here.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        retries: int = 2,
        timeout: float = 130.0,
        http: HttpClient | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.api_key = api_key
        self._sender = Sender(base_url, api_key, retries, timeout, http)
        self._users: OrderedDict[str, User] = OrderedDict()
        self.mcp = Mcp(self._sender)
        self.identity = Identity(self._sender)
        self.invocations = Invocations(self._sender)
        self.servers = Servers(self._sender)

    def search(self, query: str, **options: Unpack[SearchOptions]) -> SearchResult:
        """Servers and their tools, best first."""
        return cast(SearchResult, self._sender.send("POST", "/v1/search", body={**options, "query": query}))

    def search_many(self, queries: Sequence[SearchQuery]) -> list[SearchResult]:
        """Up to twenty searches in one call, answered in their order."""
        reply = self._sender.send("POST", "/v1/search", body={"queries": queries})
        return cast(list[SearchResult], reply["results"])

    def search_all(self, query: str, **options: Unpack[SearchOptions]) -> Iterator[SearchHit]:
        """One server after the other, page by page as they are wanted."""
        while True:
            page = self.search(query, **options)
            for hit in page["servers"]:
                yield hit
            cursor = page["metadata"].get("next_cursor")
            if cursor is None:
                return
            options["cursor"] = cursor

    def user(self, user_id: str) -> User:
        """The user of that id; the same object, and so the same token, for the same id."""
        known = self._users.pop(user_id, None) or User(self._sender, user_id)
        self._users[user_id] = known
        if len(self._users) > _USERS_KEPT:
            self._users.popitem(last=False)
        return known

    def request(self, method: str, path: str, *, body: object = None, query: Json | None = None) -> Any:
        """Any other call of the API, ``/v1/admin/keys`` for example; the reply's JSON."""
        return self._sender.send(method, path, body=body, query=query)

    def close(self) -> None:
        self._sender.http.close()

    def __enter__(self) -> MCPRankClient:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
