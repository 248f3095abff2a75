"""Asking an upstream's API who signed in: one request, bounded, every failure an UpstreamError."""

from collections.abc import Mapping
from typing import Any

import anyio
import httpx

from rally_mcp.errors import UpstreamRejected, UpstreamTimeout, UpstreamUnavailable

_USER_TIMEOUT = 8.0
"""Seconds for learning who signed in; the person at the browser is waiting."""


async def get_user(
    http: httpx.AsyncClient,
    title: str,
    url: str,
    headers: Mapping[str, str],
    params: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the upstream's JSON object about the user of the access token in `headers`.

    Raises UpstreamRejected, UpstreamUnavailable or UpstreamTimeout.
    """
    try:
        with anyio.fail_after(_USER_TIMEOUT):
            response = await http.get(url, params=params, headers=headers)
    except (TimeoutError, httpx.TimeoutException) as error:
        raise UpstreamTimeout(f"{title} did not answer in time; try again.") from error
    except httpx.HTTPError as error:
        raise UpstreamUnavailable(f"{title} cannot be reached; try again later.") from error
    if response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise UpstreamUnavailable(f"{title} is not available; try again later.")
    try:
        answer = response.json()
    except ValueError as error:
        raise UpstreamRejected(f"{title} did not say who signed in.") from error
    if not isinstance(answer, dict):
        raise UpstreamRejected(f"{title} did not say who signed in.")
    return answer
