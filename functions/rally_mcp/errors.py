"""Every error this product raises on purpose, and the HTTP status each one means.

RallyMcpError
├─ UserError             the caller can act; the message is safe for a person or a model
│  ├─ InvalidInput         400
│  ├─ SignInRequired       401  carries the sign-in URLs
│  ├─ GrantEnded           401  the client must be authorized again
│  ├─ PermissionDenied     403
│  ├─ NotFound             404
│  ├─ Conflict             409
│  └─ RateLimited          429  carries retry_after
├─ OAuthError            the authorization server refuses with 400; carries the RFC's error code
│  └─ InvalidClient        401  client authentication failed
├─ UpstreamError         Rally or another upstream failed; the message never quotes it
│  ├─ UpstreamRejected     502  it answered, and not usefully
│  ├─ UpstreamUnavailable  503  it is down or overloaded; carries retry_after
│  │  └─ StoreUnavailable    503  so is the database, which logs and alerts tell apart
│  └─ UpstreamTimeout      504  it did not answer in time
└─ ConfigurationError    500  refuses to start; names the variable and the remedy

Errors become HTTP answers in `web.responses` and tool results in `tools.results`, nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


class RallyMcpError(Exception):
    """Anything this product raises on purpose. Messages say what happened, then what to do."""

    http_status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UserError(RallyMcpError):
    """The caller can put it right. The message is safe to show to a person or a model."""

    http_status = 400


class InvalidInput(UserError):
    """An argument, header, parameter or body is not acceptable as it stands."""

    http_status = 400


@dataclass(frozen=True, slots=True)
class SignInPrompt:
    """What a caller needs to send a person through sign-in.

    `short_auth_url` carries `state` alone (under 100 characters on run.app), for chat windows;
    `auth_url` carries all three PKCE parameters, for programs. `code_expected` says whether the
    person will be shown a confirmation code to bring back; `notice` tells what happened before.
    """

    upstream_title: str
    auth_url: str = field(repr=False)
    short_auth_url: str = field(repr=False)
    code_expected: bool
    notice: str = ""
    code_waits: bool = False
    """Somebody signed in, and the code that the page shows has not come yet."""


class SignInRequired(UserError):
    """The principal has no working sign-in at the upstream."""

    http_status = 401

    def __init__(self, prompt: SignInPrompt) -> None:
        super().__init__(
            f"{prompt.notice} User must authenticate with {prompt.upstream_title} "
            "to access this tool".strip()
        )
        self.prompt = prompt


class GrantEnded(UserError):
    """The upstream sign-in behind an MCP client's access token is over, and so is the grant."""

    http_status = 401


class PermissionDenied(UserError):
    """The upstream or this deployment does not let this person do that."""

    http_status = 403


class NotFound(UserError):
    """What was asked for does not exist, or this person may not know that it does."""

    http_status = 404


class Conflict(UserError):
    """The request collides with what somebody else did, or could mean more than one thing."""

    http_status = 409


class RateLimited(UserError):
    """Too many requests; worth another try after `retry_after` seconds."""

    http_status = 429

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OAuthError(RallyMcpError):
    """What an OAuth client is answered: an error code of its RFC, and a sentence on the remedy.

    `code` is one of RFC 6749 §4.1.2.1 and §5.2, RFC 7591 §3.2.2 or RFC 8707 §2. `headers` go with
    the answer.
    """

    http_status = 400

    def __init__(
        self, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.headers = dict(headers or {})


class InvalidClient(OAuthError):
    """Client authentication failed (RFC 6749 §5.2): 401, whatever was wrong with it."""

    http_status = 401

    def __init__(self, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__("invalid_client", message, headers=headers)


class UpstreamError(RallyMcpError):
    """An upstream failed. Its own words stay in the log."""

    http_status = 502


class UpstreamRejected(UpstreamError):
    """The upstream answered with something that cannot be used."""

    http_status = 502


class UpstreamUnavailable(UpstreamError):
    """The upstream is down or overloaded; worth another try after `retry_after` seconds."""

    http_status = 503

    def __init__(self, message: str, *, retry_after: int = 10) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StoreUnavailable(UpstreamUnavailable):
    """The database does not answer, or writers collide for too long.

    A kind of its own, because logs and alerts tell Rally's outages from the database's by it.
    """


class UpstreamTimeout(UpstreamError):
    """The upstream did not answer in time. A write may or may not have happened."""

    http_status = 504


class ConfigurationError(RallyMcpError):
    """A setting is missing or wrong. The message names the variable and the remedy."""

    http_status = 500
