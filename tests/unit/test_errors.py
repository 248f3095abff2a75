"""The error tree: each error that is raised means one HTTP status and one tool error."""

import json
import re

import pytest

from rally_mcp import errors
from rally_mcp.errors import (
    RallyMcpError,
    RateLimited,
    SignInPrompt,
    SignInRequired,
    UpstreamUnavailable,
)
from rally_mcp.tools.catalogue import ALL_TOOLS
from rally_mcp.tools.results import tool_error
from rally_mcp.web.responses import json_error

PROMPT = SignInPrompt(
    upstream_title="Rally",
    auth_url="https://auth.example.com/auth?state=s&code_challenge=c&code_challenge_method=S256",
    short_auth_url="https://auth.example.com/auth?state=s",
    code_expected=True,
)
DRAWN = re.compile(r"^[│ ]*[├└]─ (\w+)(?: +(\d{3}))?", re.MULTILINE)
STATUS_BY_ERROR = {
    "InvalidInput": 400,
    "SignInRequired": 401,
    "GrantEnded": 401,
    "PermissionDenied": 403,
    "NotFound": 404,
    "Conflict": 409,
    "RateLimited": 429,
    "InvalidClient": 401,
    "UpstreamRejected": 502,
    "UpstreamUnavailable": 503,
    "StoreUnavailable": 503,
    "UpstreamTimeout": 504,
    "ConfigurationError": 500,
}
MADE_WITH = {SignInRequired: {"prompt": PROMPT}, RateLimited: {"message": "m", "retry_after": 7}}


def tree(root: type[RallyMcpError]) -> list[type[RallyMcpError]]:
    """Return the errors of this module below `root`."""
    below = [error for error in root.__subclasses__() if error.__module__ == errors.__name__]
    return [found for error in below for found in (error, *tree(error))]


def is_raised(error: type[RallyMcpError]) -> bool:
    """Tell whether anything raises it: the others only group what they stand above."""
    return tree(error) == [] or error is UpstreamUnavailable


RAISED = [error for error in tree(RallyMcpError) if is_raised(error)]


def made(error: type[RallyMcpError]) -> RallyMcpError:
    return error(**MADE_WITH.get(error, {"message": "What happened; what to do."}))


def test_the_drawing_shows_every_error_and_the_status_of_each_that_is_raised():
    drawn = DRAWN.findall(errors.__doc__)

    assert [name for name, _ in drawn] == [error.__name__ for error in tree(RallyMcpError)]
    assert {name: int(status) for name, status in drawn if status} == STATUS_BY_ERROR


def test_every_error_that_is_raised_has_a_status():
    assert {error.__name__: error.http_status for error in RAISED} == STATUS_BY_ERROR


@pytest.mark.parametrize("error", RAISED, ids=lambda error: error.__name__)
def test_an_error_is_one_http_answer(error):
    answer = json_error(made(error))

    body = json.loads(answer.body)
    assert answer.status_code == STATUS_BY_ERROR[error.__name__]
    assert set(body) == {"error", "message"}
    assert body["message"] == made(error).message
    assert ("retry-after" in answer.headers) == hasattr(made(error), "retry_after")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("tool", ALL_TOOLS, ids=lambda tool: tool.name)
@pytest.mark.parametrize("error", RAISED, ids=lambda error: error.__name__)
def test_an_error_is_one_tool_error(error, tool):
    result = tool_error(tool, made(error))

    [content] = result.content
    members = result.structured_content
    assert result.is_error
    if error is SignInRequired:
        assert set(members) == {"error", "error_description", "auth_url", "instructions"}
        assert PROMPT.short_auth_url in content.text.splitlines()
    else:
        assert members["error"] == tool.failure
        assert members["message"] == made(error).message
        assert content.text == f"{tool.failure}: {members['message']}"
    assert members.get("retry_after") == (7 if error is RateLimited else None)


def test_a_sign_in_notice_comes_before_what_to_do():
    told = SignInPrompt("Rally", PROMPT.auth_url, PROMPT.short_auth_url, True, notice="It ended.")

    assert SignInRequired(PROMPT).message == (
        "User must authenticate with Rally to access this tool"
    )
    assert SignInRequired(told).message == (
        "It ended. User must authenticate with Rally to access this tool"
    )


@pytest.mark.parametrize(
    "error", [each for each in RAISED if each is not SignInRequired], ids=lambda each: each.__name__
)
def test_a_message_that_quotes_rally_comes_clean_and_bounded(error):
    quoted = {**MADE_WITH.get(error, {}), "message": "No\u202e\n\u200bgo " + "x" * 2_000}

    members = tool_error(ALL_TOOLS[0], error(**quoted)).structured_content

    assert members["message"].startswith("No go xxx")
    assert len(members["message"]) == 1_000
