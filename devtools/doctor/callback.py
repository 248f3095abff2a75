"""The end of a sign-in: its person declines, and oauth_callback says that this was understood."""

from urllib.parse import urlencode

from devtools.doctor.checks import Failed
from devtools.doctor.requests import SERVER_ERROR, Requests, cloud_name, remedy_for
from devtools.doctor.sign_in import SAME_EVERYWHERE
from rally_mcp.settings import Function

_DECLINED, _UNKNOWN_STATE = 200, 400


async def declines(requests: Requests, redirect_uri: str, state: str) -> None:
    """Send what an upstream sends where its person declines (RFC 6749 §4.1.2.1).

    It ends the sign-in that waits for this state. No `iss` goes with it: the callback compares one
    that comes, and requires none (RFC 9207 §2.4).
    """
    function = Function.OAUTH_CALLBACK
    query = urlencode({"error": "access_denied", "state": state})
    response = await requests.send("GET", f"{redirect_uri}?{query}", remedy_for(function))
    status = response.status_code
    if status == _DECLINED:
        return
    problem = f"HTTP {status} for a sign-in that its person declines, expected {_DECLINED}"
    if status == _UNKNOWN_STATE:
        raise Failed(problem, f"{SAME_EVERYWHERE}, and let nothing change the query on its way")
    if status >= SERVER_ERROR:
        raise Failed(problem, f"read the log of {cloud_name(function)}: it says why")
    raise Failed(
        problem, f"route {redirect_uri} to {cloud_name(function)}, and let nothing before it answer"
    )
