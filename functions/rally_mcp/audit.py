"""The audit log: who did what, through which upstream and tool, and how it was decided.

An audit line is a log line with `"log": "audit"`; a Cloud Logging sink selects it by
`jsonPayload.log="audit"`. Its message is the event, and it has these fields where they apply:

principal     first 12 hex digits of the hash that names the caller's record
client        the MCP client: its id, or for one that registered itself a hash of it
upstream      which upstream it is about
user          the upstream user's name or id
tool          the tool that was called
scope         the scopes that were allowed
decision      allowed, refused, sign_in_required or failed
milliseconds  how long it took
reason        an error's type, or one of this product's own short headlines

Tokens, codes, headers and bodies have no way in: `write` takes these arguments and no others.
"""

import hashlib
import re
from collections.abc import Collection
from enum import StrEnum
from typing import Literal

from rally_mcp import logs

Decision = Literal["allowed", "refused", "sign_in_required", "failed"]


class AuditEvent(StrEnum):
    """What can happen. The value is the line's message, and does not change."""

    SIGN_IN_STARTED = "sign_in.started"
    SIGN_IN_REDIRECTED = "sign_in.redirected"
    SIGN_IN_EXCHANGED = "sign_in.exchanged"
    SIGN_IN_PARKED = "sign_in.parked"
    SIGN_IN_CONFIRMED = "sign_in.confirmed"
    SIGN_IN_CODE_REFUSED = "sign_in.code_refused"
    SIGN_IN_DENIED = "sign_in.denied"
    SIGN_IN_FAILED = "sign_in.failed"
    SIGN_IN_UNCONFIRMED = "sign_in.unconfirmed"
    """Tokens became active without a code: SIGN_IN_CONFIRMATION is none."""
    TOKENS_REFRESHED = "tokens.refreshed"
    TOKENS_REFRESH_FAILED = "tokens.refresh_failed"
    CONNECTION_CLOSED = "connection.closed"
    SIGNED_OUT = "signed_out"
    CLIENT_REGISTERED = "client.registered"
    CLIENT_CHANGED = "client.changed"
    """An administrator added, rotated, disabled or removed a client."""
    CONSENT_ALLOWED = "consent.allowed"
    CONSENT_DENIED = "consent.denied"
    CONSENT_REFUSED = "consent.refused"
    """A form or a return to the consent page came from another browser, or was altered."""
    GRANT_CODE_RELEASED = "grant.code_released"
    GRANT_TOKENS_ISSUED = "grant.tokens_issued"
    GRANT_TOKENS_REFRESHED = "grant.tokens_refreshed"
    GRANT_REUSED = "grant.reused"
    """A code or refresh token came a second time, was made up, or was tried too often: the grant
    is revoked."""
    GRANT_REVOKED = "grant.revoked"
    GRANT_ENDED = "grant.ended"
    """The upstream sign-in that the grant stood on is over."""
    PRINCIPAL_REVOKED = "principal.revoked"
    """An administrator ended a chat's sign-in or a grant."""
    MACHINE_LOGGED_IN = "machine.logged_in"
    CLIENT_REFUSED = "client.refused"
    """A client did not authenticate at the token endpoint."""
    MACHINE_TOKEN_REVOKED = "machine.token_revoked"  # noqa: S105 an event's name
    TOOL_CALLED = "tool.called"
    CREDENTIAL_REFUSED = "credential.refused"


_WARNINGS = {
    AuditEvent.SIGN_IN_CODE_REFUSED,
    AuditEvent.SIGN_IN_UNCONFIRMED,
    AuditEvent.CREDENTIAL_REFUSED,
    AuditEvent.CONSENT_REFUSED,
    AuditEvent.GRANT_REUSED,
    AuditEvent.CLIENT_REFUSED,
}

_REGISTERED_CLIENT = re.compile(r"rmcp_[mp]c_[0-9a-f]{16}")
_HASH = re.compile(r"[0-9a-f]{64}")
_PLAIN_WORDS = re.compile(r"[A-Za-z][\w .,:'-]{0,79}", re.ASCII)
_LONGEST_USER = 200


def write(  # noqa: PLR0913 the fields of a line, each by name
    event: AuditEvent,
    *,
    principal: str | None,
    client: str | None = None,
    scope: Collection[str] = (),
    upstream: str | None = None,
    user: str | None = None,
    tool: str | None = None,
    decision: Decision | None = None,
    milliseconds: float | None = None,
    reason: str | None = None,
) -> None:
    """Write one audit line. Never raises.

    `principal` is the record key of the caller, None where nobody was recognised. Names and
    reasons are this product's own words; anything that does not look like that is written as
    "other", so that a caller cannot write into the log.
    """
    fields = {
        "principal": _shortened(principal),
        "client": _named(client),
        "scope": " ".join(scope)[:_LONGEST_USER] or None,
        "upstream": _own_words(upstream),
        "user": user[:_LONGEST_USER] if user else None,
        "tool": _own_words(tool),
        "decision": decision,
        "milliseconds": milliseconds,
        "reason": _own_words(reason),
    }
    given = {name: value for name, value in fields.items() if value is not None}
    severity: logs.Severity = "WARNING" if event in _WARNINGS else "INFO"
    logs.event(severity, event.value, log="audit", **given)


def _shortened(principal: str | None) -> str | None:
    if principal is None:
        return None
    # A grant's key is its id, which whoever reads the log could use to have it revoked.
    is_hash = _HASH.fullmatch(principal)
    return (principal if is_hash else hashlib.sha256(principal.encode()).hexdigest())[:12]


def _named(client: str | None) -> str | None:
    """Return a registered client's id; of any other, whose id a stranger chose, a hash."""
    if client is None or _REGISTERED_CLIENT.fullmatch(client):
        return client
    return hashlib.sha256(client.encode()).hexdigest()[:12]


def _own_words(text: str | None) -> str | None:
    return text if text is None or _PLAIN_WORDS.fullmatch(text) else "other"
