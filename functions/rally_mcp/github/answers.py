"""What GitHub's answers mean: an object, or an error that says what to do.

    403 or 429 with a limit   the primary or a secondary rate limit
    403 with X-GitHub-SSO     the organization wants this connection authorized
    404                       it does not exist, or is not for this person to know of
    410                       issues are disabled, or this one was deleted
    422                       GitHub's own words say which argument is wrong

Messages quote GitHub; whoever shows them to a model cleans them first.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from rally_mcp.errors import (
    InvalidInput,
    NotFound,
    PermissionDenied,
    RallyMcpError,
    RateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)

IN_DOUBT = "Whether GitHub carried it out is not known: look before you try again."
"""What a caller is told about a write whose answer was lost."""

_SECONDARY_LIMIT_PAUSE = 60
"""Seconds to wait where GitHub names none, as its documentation asks."""

_LONGEST_PAUSE = 3600
"""Seconds until any of GitHub's limits is over."""

_SSO_PAGE = re.compile(r"required; *url=([!-~]+)")

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class GitHubRequest:
    """One request. `subject` is what people call its object: a repository, or owner/name#12."""

    method: str
    url: str
    subject: str
    params: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None

    @property
    def doubt(self) -> str:
        """What to say when nobody knows whether a write happened."""
        return "" if self.method == "GET" else IN_DOUBT

    def at(self, url: str) -> "GitHubRequest":
        """Return the request for another address, which has its parameters in it."""
        return replace(self, url=url, params=None)


def read_answer(
    adapter: TypeAdapter[AnswerT], request: GitHubRequest, response: httpx.Response
) -> AnswerT:
    """Read what a request that worked has brought. Raises UpstreamRejected for another form."""
    try:
        return adapter.validate_json(response.content)
    except ValidationError as error:
        unknown = f"GitHub's answer has an unknown form. {request.doubt}"
        raise UpstreamRejected(unknown.strip()) from error


def check_status(request: GitHubRequest, response: httpx.Response, github_url: str) -> None:
    """Raise the error that an answer's status stands for, if it does."""
    if response.is_success:
        return
    if response.is_server_error:
        raise _failure(request, response)
    _check_limits(response)
    match response.status_code:
        case httpx.codes.FORBIDDEN | httpx.codes.UNAVAILABLE_FOR_LEGAL_REASONS:
            raise PermissionDenied(_sso_remedy(response, github_url) or _forbidden(response))
        case httpx.codes.NOT_FOUND:
            raise NotFound(
                f"GitHub has no {request.subject}, or does not show it to you: "
                "check the name, and that you have access on GitHub."
            )
        case httpx.codes.GONE:
            raise NotFound(f"Issues are disabled for {request.subject}, or this one was deleted.")
        case httpx.codes.UNPROCESSABLE_ENTITY:
            raise InvalidInput(f"GitHub refused this: {_words(response)}")
        case status:
            raise UpstreamRejected(f"GitHub answered with HTTP {status}.")


def _failure(request: GitHubRequest, response: httpx.Response) -> RallyMcpError:
    if response.status_code == httpx.codes.GATEWAY_TIMEOUT:
        return UpstreamTimeout(f"GitHub took too long. {request.doubt}".strip())
    return UpstreamUnavailable(f"GitHub is not available; try again later. {request.doubt}".strip())


def _check_limits(response: httpx.Response) -> None:
    if response.status_code not in {httpx.codes.FORBIDDEN, httpx.codes.TOO_MANY_REQUESTS}:
        return
    seconds = _pause(response)
    if seconds is not None:
        raise RateLimited(
            "GitHub asks to slow down; try again later.",
            retry_after=min(max(1, seconds), _LONGEST_PAUSE),
        )


def _pause(response: httpx.Response) -> int | None:
    """Return the seconds that GitHub asks to wait; None where it refuses for another reason."""
    retry_after = response.headers.get("Retry-After", "")
    if re.fullmatch(r"[0-9]{1,6}", retry_after):
        return int(retry_after)
    reset = response.headers.get("X-RateLimit-Reset", "")
    if response.headers.get("X-RateLimit-Remaining") == "0" and re.fullmatch("[0-9]{1,11}", reset):
        return int(reset) - int(_time_at_github(response).timestamp())
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS or "rate limit" in _words(response):
        return _SECONDARY_LIMIT_PAUSE
    return None


def _time_at_github(response: httpx.Response) -> datetime:
    """The reset is a time of GitHub's clock, which need not be ours."""
    try:
        return parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return datetime.now(UTC)


def _sso_remedy(response: httpx.Response, github_url: str) -> str:
    """Say where to authorize the connection, if that is what an organization asks for."""
    asked = _SSO_PAGE.match(response.headers.get("X-GitHub-SSO", ""))
    if asked is None:
        return ""
    own = asked[1].startswith(f"{github_url}/")
    page = asked[1] if own else "the organization's page on GitHub"
    return (
        "The organization asks for single sign-on before it shows you this: open "
        f"{page} in your browser, authorize this application there, and try again."
    )


def _forbidden(response: httpx.Response) -> str:
    return f"GitHub does not let you do that; check your permissions there. {_words(response)}"


class _Problem(BaseModel):
    message: str | None = None
    field: str | None = None
    code: str | None = None

    def __str__(self) -> str:
        return self.message or " ".join(filter(None, (self.field, self.code)))


class _Refusal(BaseModel):
    message: str = ""
    errors: list[_Problem | str] = []


def _words(response: httpx.Response) -> str:
    """Return GitHub's own words for a refusal, which it has in several forms."""
    try:
        refusal = _Refusal.model_validate_json(response.content)
    except ValidationError:
        return ""
    words = [refusal.message, *map(str, refusal.errors)]
    return " ".join(f"{word.rstrip('.')}." for word in words if word)
