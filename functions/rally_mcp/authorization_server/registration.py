"""Dynamic client registration (RFC 7591) that stores nothing.

The client id is the client's metadata in a canonical form, encoded. So there is no record to fill
a database with, none to lose, and the same client gets the same id again. Every client that
registers itself is public and unverified: what its id says is what anybody may say.
"""

import base64
import binascii
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from rally_mcp.authorization_server import redirect_uris
from rally_mcp.authorization_server.redirect_uris import ApplicationType
from rally_mcp.errors import InvalidInput, OAuthError

PREFIX = "rmcp_cl_"

STORED_ID = re.compile(r"rmcp_[mp]c_[0-9a-f]{16}")
"""Ids of clients that an administrator added."""

_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {
    chr(selector) for selector in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
}
"""Letters and marks that are drawn as nothing, beside control and format characters."""

_MARK = r"[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]"

_STACKED_MARKS = re.compile(f"({_MARK}{{2}}){_MARK}+")
"""More accents than any language puts on one letter: they would cover what stands around."""

_LONGEST_NAME = 100
_LONGEST_ID = 2048
"""Characters: an authorization request carries the id in its address."""

_GRANT_TYPES = ("authorization_code", "refresh_token")
_SHARED_SECRETS = {None, "none", "client_secret_basic", "client_secret_post"}
"""Methods that a client may ask for. It gets `none`: a secret for everybody protects nobody."""


class _Request(BaseModel):
    """What a client sends (RFC 7591 §2), as far as it matters here."""

    model_config = ConfigDict(strict=True, extra="ignore")

    redirect_uris: list[str]
    client_name: str | None = None
    application_type: ApplicationType | None = None
    token_endpoint_auth_method: str | None = None
    grant_types: list[str] | None = None
    response_types: list[str] | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class ClientMetadata:
    """What a client id of ours says. Loopback redirect URIs have no port in it."""

    name: str
    redirect_uris: tuple[str, ...]

    @property
    def client_id(self) -> str:
        """The id that says it."""
        canonical = json.dumps([self.name, *self.redirect_uris], separators=(",", ":"))
        return PREFIX + base64.urlsafe_b64encode(canonical.encode()).rstrip(b"=").decode()


def register(document: object, allowed_scopes: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the client information response (RFC 7591 §3.2.1) for a registration request.

    Raises OAuthError (invalid_client_metadata, invalid_redirect_uri).
    """
    try:
        request = _Request.model_validate(document)
    except ValidationError as error:
        members = sorted({str(item["loc"][0]) for item in error.errors() if item["loc"]})
        named = f" ({', '.join(members[:5])})" if members else ""
        raise _refused(f"Send a JSON object with client metadata of RFC 7591{named}.") from None
    _check(request)
    _check_redirect_uris(request)
    client_id = ClientMetadata(
        name=cleaned_name(request.client_name or ""),
        redirect_uris=tuple(_canonical(request.redirect_uris)),
    ).client_id
    if len(client_id) > _LONGEST_ID:
        raise _refused("The metadata is too long; register fewer or shorter redirect URIs.")
    grant_types = request.grant_types or _GRANT_TYPES[:1]
    answer: dict[str, Any] = {
        "client_id": client_id,
        "client_name": cleaned_name(request.client_name or ""),
        "redirect_uris": request.redirect_uris,
        "token_endpoint_auth_method": "none",
        "grant_types": [each for each in _GRANT_TYPES if each in grant_types],
        "response_types": ["code"],
        "scope": " ".join(allowed_scopes),
    }
    if request.application_type:
        answer["application_type"] = request.application_type
    return answer


def decoded(client_id: str) -> ClientMetadata | None:
    """Return what a client id says; None unless registering that would give this very id."""
    encoded = client_id.removeprefix(PREFIX)
    if len(client_id) > _LONGEST_ID or encoded == client_id:
        return None
    try:
        canonical = base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True)
        members = json.loads(canonical)
    except (ValueError, binascii.Error, RecursionError):
        return None
    if not isinstance(members, list) or not all(isinstance(each, str) for each in members):
        return None
    name, *uris = members or [""]
    metadata = ClientMetadata(name, tuple(uris))
    if not 1 <= len(uris) <= redirect_uris.MOST or uris != _canonical(uris):
        return None
    if cleaned_name(name) != name:
        return None
    try:
        for uri in uris:
            redirect_uris.check(uri)
    except InvalidInput:
        return None
    return metadata if metadata.client_id == client_id else None


def _canonical(uris: list[str]) -> list[str]:
    """Return redirect URIs as they stand in a client id."""
    return list(dict.fromkeys(map(redirect_uris.without_port, uris)))


def cleaned_name(name: str) -> str:
    """Return a client's name on one line, without characters that hide or reorder others."""
    visible = "".join(
        " " if character.isspace() else character
        for character in _STACKED_MARKS.sub(r"\1", unicodedata.normalize("NFC", name))
        if character.isspace() or not _is_hidden(character)
    )
    return " ".join(visible.split())[:_LONGEST_NAME].rstrip()


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character)[0] == "C" or character in _BLANKS


def _check(request: _Request) -> None:
    grant_types = request.grant_types or _GRANT_TYPES
    if "client_credentials" in grant_types:
        raise _refused(
            "An administrator adds clients for client_credentials (rally-mcp clients add)."
        )
    if "authorization_code" not in grant_types or "code" not in (
        request.response_types or ["code"]
    ):
        raise _refused("Only grant_type authorization_code with response_type code is served.")
    if request.token_endpoint_auth_method not in _SHARED_SECRETS:
        raise _refused("A client that registers itself is public: auth method none.")


def _check_redirect_uris(request: _Request) -> None:
    if not 1 <= len(request.redirect_uris) <= redirect_uris.MOST:
        raise OAuthError(
            "invalid_redirect_uri", f"Register 1 to {redirect_uris.MOST} redirect URIs."
        )
    try:
        for uri in request.redirect_uris:
            redirect_uris.check(uri, request.application_type or "")
    except InvalidInput as refused:
        raise OAuthError("invalid_redirect_uri", refused.message) from None


def _refused(message: str) -> OAuthError:
    return OAuthError("invalid_client_metadata", message)
