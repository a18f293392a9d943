"""For Google's own client (``google-api-python-client``): its calls go through the OAuth proxy, as one user.

    calendar = google_service(rank, rank.user("ann"), "calendar", "v3")
    print(calendar.events().list(calendarId="primary").execute())
"""

from __future__ import annotations

import json
from typing import Any

import google.auth.credentials
import google_auth_httplib2
import httplib2
from googleapiclient.discovery import build_from_document
from googleapiclient.discovery_cache import get_static_doc

from .._client import MCPRankClient, User


class _UserCredentials(google.auth.credentials.Credentials):  # type: ignore[misc]
    """A MIT in the place of an access token, and the API key beside it; the user renews it by itself."""

    def __init__(self, rank: MCPRankClient, user: User) -> None:
        super().__init__()
        self._rank = rank
        self._user = user

    def before_request(self, request: Any, method: str, url: str, headers: dict[str, str]) -> None:
        self.token = self._user.token()
        self.apply(headers)

    def refresh(self, request: Any) -> None:
        """Asked for where a token was refused."""
        self._user.forget_token()
        self.token = self._user.token()

    def apply(self, headers: dict[str, str], token: str | None = None) -> None:
        super().apply(headers, token)
        headers["x-api-key"] = self._rank.api_key


def google_service(rank: MCPRankClient, user: User, name: str, version: str) -> Any:
    """What ``googleapiclient.discovery.build(name, version)`` answers, for this user."""
    document = json.loads(get_static_doc(name, version))
    document["rootUrl"] = f"{rank.base_url}/v1/proxy/google/"
    http = google_auth_httplib2.AuthorizedHttp(_UserCredentials(rank, user), http=httplib2.Http(), refresh_status_codes=(401, 403))
    return build_from_document(document, http=http)
