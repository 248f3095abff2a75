"""The requests of the checks: bounded in time and in size, and a failure says what to do."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anyio
import httpx
from pydantic import BaseModel, ValidationError

from devtools.doctor.checks import Failed
from devtools.doctor.proxy import ProxyOf, proxy_of
from rally_mcp.errors import ConfigurationError
from rally_mcp.settings import Function

SECONDS = 30.0
"""For one request: a cold start fits."""

MOST_BYTES = 1024 * 1024
"""Of one answer, uncompressed: a deployment's longest has a tenth of it."""

REDIRECTED, REFUSED, NO_SERVICE, SERVER_ERROR = 300, 403, 404, 500
"""RFC 9110 §15; 403 and 404 are also what Cloud Run answers in a function's place."""

NO_URL = "Location is no URL"
"""What is wrong with a redirect that leads nowhere."""

_IN_LOCATION = "in location header"
"""What httpx says of one: it looks at the address although it does not go there."""

_LONGEST_QUOTE = 120
"""Characters of something that a server said."""

ModelT = TypeVar("ModelT", bound=BaseModel)


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def new_client() -> httpx.AsyncClient:
    """Return the client of a run. It believes the environment's proxy and certificate variables.

    No connection is used twice: one that the server was just closing would look like a failure.
    Raises ConfigurationError where those variables name what cannot be used.
    """
    limits = httpx.Limits(max_keepalive_connections=0)
    try:
        return httpx.AsyncClient(follow_redirects=False, limits=limits, timeout=SECONDS)
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        # Not the error's own words: they quote the proxy's address, which may have a password.
        raise ConfigurationError(
            f"HTTPS requests cannot be made ({type(error).__name__}); correct SSL_CERT_FILE or "
            "SSL_CERT_DIR, which name files with certificates, or HTTPS_PROXY (also ALL_PROXY and "
            "HTTP_PROXY), an http URL"
        ) from error


@dataclass(frozen=True, slots=True)
class Requests:
    """Sends requests. `clock` tells this machine's time."""

    http: httpx.AsyncClient
    clock: Callable[[], datetime]
    seconds: float = SECONDS
    proxy_of: ProxyOf = proxy_of

    async def send(self, method: str, url: str, remedy: str, **options: Any) -> httpx.Response:
        """Return the response, whatever its status.

        Raises Failed, with the remedy, without one, and for one of more than MOST_BYTES.
        """
        return await self._send(_content, method, url, remedy, options)

    async def send_for_headers(
        self, method: str, url: str, remedy: str, **options: Any
    ) -> httpx.Response:
        """Return the response as `send` does, with its content left unread."""
        return await self._send(_no_content, method, url, remedy, options)

    async def expect(
        self, method: str, url: str, status: int, remedy: str, **options: Any
    ) -> httpx.Response:
        """Return the response, which has this status. Raises Failed, with the remedy, if not."""
        response = await self.send(method, url, remedy, **options)
        if response.status_code != status:
            raise Failed(f"HTTP {response.status_code}, expected {status}", remedy)
        return response

    async def _send(
        self,
        read_content: Callable[[httpx.Response], Awaitable[bytes]],
        method: str,
        url: str,
        remedy: str,
        options: Mapping[str, Any],
    ) -> httpx.Response:
        try:
            with anyio.fail_after(self.seconds):
                async with self.http.stream(method, url, **options) as response:
                    return _read_response(response, await read_content(response))
        except TimeoutError:
            raise self._no_answer(url, f"within {self.seconds:g} s", remedy) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if _IN_LOCATION in str(error):
                raise Failed(NO_URL, remedy_for_location(urlsplit(url).netloc)) from error
            raise self._no_answer(url, f"({type(error).__name__})", remedy) from error

    def _no_answer(self, url: str, how: str, remedy: str) -> Failed:
        host, proxy = urlsplit(url).netloc, self.proxy_of(url)
        if not proxy:
            return Failed(f"no answer from {host} {how}", remedy)
        return Failed(
            f"no answer from {host} through the proxy {proxy} {how}",
            f"check that this proxy answers and lets {host} through, or correct HTTPS_PROXY and "
            f"NO_PROXY; where the proxy is well, {remedy}",
        )


async def _content(response: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MOST_BYTES:
            raise Failed(
                "an answer of more than 1 MiB",
                f"check that {response.url.host} is the address of the deployment: its functions "
                "answer far less",
            )
    return bytes(content)


async def _no_content(_: httpx.Response) -> bytes:
    return b""


def _read_response(response: httpx.Response, content: bytes) -> httpx.Response:
    """Return a streamed response with what was read of it, which is decoded by then."""
    told_of_content = {"content-encoding", "content-length", "transfer-encoding"}
    headers = [each for each in response.headers.multi_items() if each[0] not in told_of_content]
    return httpx.Response(
        response.status_code,
        headers=headers,
        content=content,
        request=response.request,
        extensions=response.extensions,
    )


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


def remedy_for_location(server: str) -> str:
    """Return what to do about a redirect that leads nowhere."""
    return (
        f"correct the upstream's address in the settings of {server}, and let nothing rewrite its "
        "answers"
    )


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
