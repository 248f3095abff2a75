"""The requests of the checks: each ends within its time, and a failure says what to do."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anyio
import httpx
from pydantic import BaseModel, ValidationError

from devtools.doctor.checks import Failed
from rally_mcp.settings import Function

SECONDS = 30.0
"""For one request: a cold start fits."""

REDIRECTED, REFUSED, NO_SERVICE, SERVER_ERROR = 300, 403, 404, 500
"""RFC 9110 §15; 403 and 404 are also what Cloud Run answers in a function's place."""

_LONGEST_QUOTE = 120
"""Characters of something that a server said."""

ModelT = TypeVar("ModelT", bound=BaseModel)


def new_client() -> httpx.AsyncClient:
    """Return the client of a run. It believes the environment's proxy and certificate variables.

    No connection is used twice: one that the server was just closing would look like a failure.
    """
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(follow_redirects=False, limits=limits, timeout=SECONDS)


@dataclass(frozen=True, slots=True)
class Requests:
    """Sends requests. `clock` tells this machine's time."""

    http: httpx.AsyncClient
    clock: Callable[[], datetime]
    seconds: float = SECONDS

    async def send(self, method: str, url: str, remedy: str, **options: Any) -> httpx.Response:
        """Return the response, whatever its status. Raises Failed, with the remedy, without one."""
        host = urlsplit(url).netloc
        try:
            with anyio.fail_after(self.seconds):
                return await self.http.request(method, url, **options)
        except TimeoutError:
            raise Failed(f"no answer from {host} within {self.seconds:g} s", remedy) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Failed(f"no answer from {host} ({type(error).__name__})", remedy) from error

    async def expect(
        self, method: str, url: str, status: int, remedy: str, **options: Any
    ) -> httpx.Response:
        """Return the response, which has this status. Raises Failed, with the remedy, if not."""
        response = await self.send(method, url, remedy, **options)
        if response.status_code != status:
            raise Failed(f"HTTP {response.status_code}, expected {status}", remedy)
        return response


def read(model: type[ModelT], response: httpx.Response, remedy: str) -> ModelT:
    """Read a JSON document. Raises Failed, with the remedy, for another."""
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        problem = f"its member {where} is missing or wrong" if where else "it is no such document"
        raise Failed(f"an answer that cannot be read: {problem}", remedy) from None


def quoted(text: str) -> str:
    """Shorten what a server said, for a line of the report."""
    words = re.sub(r"\s+", " ", text).strip()
    return f"'{words[:_LONGEST_QUOTE]}{'...' if len(words) > _LONGEST_QUOTE else ''}'"


def cloud_name(function: Function) -> str:
    """Return what the function is called at Google Cloud, without a prefix of the deployment."""
    return function.value.replace("_", "-")


def remedy_for(function: Function, status: int | None = None) -> str:
    """Return what to do about a function that answers with this status, or not at all."""
    name = cloud_name(function)
    if status == REFUSED:
        return (
            "let everybody call it: roles/run.invoker for allUsers on the Cloud Run service "
            f"{name}, or its --no-invoker-iam-check where a policy forbids that"
        )
    if status == NO_SERVICE:
        return (
            f"check the address, that {name} is deployed there, and that its ingress setting lets "
            "you in"
        )
    if status is not None and status >= SERVER_ERROR:
        return f"read the log of {name}: a function that does not start says why in one line"
    return f"check the address, and that {name} is deployed and public"
