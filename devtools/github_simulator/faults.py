"""Faults that tests ask for: answers GitHub would not give, its rate limits, and ended tokens."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Literal

from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from devtools.github_simulator.errors import ApiError, bad_credentials
from devtools.simulation import faults

RateLimit = Literal["primary", "secondary"]

UNSPOKEN = b'{"message": "Not Found"}'
"""What a truncated answer is cut from if the request was never carried out."""

_LIMITS_PAGE = "rest/using-the-rest-api/rate-limits-for-the-rest-api"
_HOUR = 3600


class FaultRequest(faults.FaultRequest[faults.UnusableBody]):
    """A fault as `POST /simulator/faults` takes it; `count` null means forever."""

    rate_limit: RateLimit | None = None


class ExpiredTokens(BaseModel):
    """What `POST /simulator/faults` takes too: every access token is over, now."""

    model_config = ConfigDict(extra="forbid")

    expire_access_tokens: Literal[True]


class RevokedUser(BaseModel):
    """And this: every token of a user ends, as if the user had withdrawn the app's access."""

    model_config = ConfigDict(extra="forbid")

    revoke_user: Literal["ann", "bob"]


@dataclass(slots=True, eq=False)
class Fault(faults.Fault[faults.UnusableBody]):
    """A fault as every simulator has it, or one of GitHub's rate limits.

    A `rate_limit` has status 403 unless `status` says 429. `retry_after` is when it is over: told
    in `x-ratelimit-reset` by the primary one (None: in an hour), in `retry-after` by the secondary
    one (None: it does not say).
    """

    rate_limit: RateLimit | None = None

    @property
    def replaces_answer(self) -> bool:
        """Whether the client gets something else than GitHub's answer."""
        return (self.status, self.body, self.rate_limit) != (None, None, None)


def faulty_answer(fault: Fault, original: bytes, now: datetime) -> Response:
    """Return what the client gets instead of `original`, the true answer's body."""
    status: int = fault.status or 200
    if fault.rate_limit == "primary":
        return _primary_limit(fault, now).response()
    if fault.rate_limit == "secondary" or status == HTTPStatus.TOO_MANY_REQUESTS:
        return _secondary_limit(fault).response()
    if fault.body == "truncated":
        return fault.truncated(original)
    # What stands before GitHub answers with pages.
    if fault.body == "html" or status in {502, 503}:
        return fault.page()
    return _refused(status).response()


def _primary_limit(fault: Fault, now: datetime) -> ApiError:
    seconds = _HOUR if fault.retry_after is None else fault.retry_after
    headers = {
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(now.timestamp()) + seconds),
    }
    message = "API rate limit exceeded for this user."
    return ApiError(fault.status or 403, message, _LIMITS_PAGE, headers=headers)


def _secondary_limit(fault: Fault) -> ApiError:
    message = (
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    )
    return ApiError(fault.status or 403, message, _LIMITS_PAGE, headers=fault.headers)


def _refused(status: int) -> ApiError:
    match status:
        case 401:
            return bad_credentials()
        case 403:
            return _single_sign_on_required()
    return ApiError(status, "Server Error")


def _single_sign_on_required() -> ApiError:
    """Return the 403 that companies meet: an app which the organization has not approved."""
    return ApiError(
        403,
        "Resource protected by organization SAML enforcement. You must grant your OAuth token "
        "access to this organization.",
        "articles/authenticating-to-a-github-organization-with-saml-single-sign-on/",
        headers={"X-GitHub-SSO": "required; url=https://github.com/orgs/acme/sso"},
    )
