"""What a failed call raises."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from .types import ApprovalNeeded


class MCPRankError(Exception):
    """Every failed call ends in one of these."""

    #: The HTTP status; 0 when there was no reply at all.
    status: int
    #: The kind, as in the table of docs/errors.md; ``network`` or ``timeout`` without a reply.
    code: str
    detail: str
    #: To quote to whoever runs the service.
    request_id: str | None
    #: Seconds, where the service said how long to wait.
    retry_after: float | None
    #: Other public fields of a 403's detail.
    facts: Mapping[str, Any]

    def __init__(
        self,
        detail: str,
        *,
        status: int = 0,
        code: str = "network",
        request_id: str | None = None,
        retry_after: float | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{detail} ({code if status == 0 else f'{status} {code}'})")
        self.status = status
        self.code = code
        self.detail = detail
        self.request_id = request_id
        self.retry_after = retry_after
        self.facts = facts or {}


class NotConnectedError(MCPRankError):
    """The user has to connect (again): 403 ``provider_not_connected`` or ``token_expired``."""

    @property
    def session(self) -> Mapping[str, str] | None:
        """``id``, ``auth_url`` and ``expires_at`` of a session that is open already, where the service had one to offer."""
        session = self.facts.get("session")
        return session if isinstance(session, dict) and "auth_url" in session else None


class ApprovalRequiredError(MCPRankError):
    """Somebody has to approve the call, at ``approval["url"]``; then it goes on with ``continuation``."""

    def __init__(self, needed: ApprovalNeeded) -> None:
        detail = f"Somebody has to approve this call first, at {needed['approval']['url']}"
        super().__init__(detail, status=200, code="approval_required")
        self.approval = needed["approval"]
        self.continuation = needed["continuation"]


class ConnectError(MCPRankError):
    """A session that ended without a connection: the user said no, or the time was over."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, code="not_connected")


def error_of(reply: httpx.Response) -> MCPRankError:
    """The error that a failed reply stands for; its body has been read."""
    body = _object_in(reply.text)
    detail = body.get("detail")
    inner = dict(detail) if isinstance(detail, dict) else {}
    code = inner.pop("code", body.get("code"))
    message = inner.pop("message", None)
    texts = (text for text in (detail, message) if isinstance(text, str))
    kind = NotConnectedError if code in ("provider_not_connected", "token_expired") else MCPRankError
    return kind(
        next(texts, reply.text[:200] or reply.reason_phrase),
        status=reply.status_code,
        code=code if isinstance(code, str) else f"http_{reply.status_code}",
        request_id=reply.headers.get("x-request-id"),
        retry_after=_retry_after_of(reply.headers.get("retry-after")),
        facts=inner,
    )


def _retry_after_of(value: str | None) -> float | None:
    """Seconds or a date (RFC 9110 section 10.2.3)."""
    if value is None:
        return None
    if value.isdecimal():
        return float(value)
    at = email.utils.parsedate_tz(value)
    return None if at is None else max(0.0, email.utils.mktime_tz(at) - time.time())


def _object_in(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
