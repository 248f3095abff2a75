"""Reads the secrets that settings refer to, from Secret Manager, the environment or a file.

    get     from memory, where it stays for five minutes
    reread  from the source, when an upstream no longer accepts what memory holds

So a secret that was rotated needs no deployment. Callers that come at once share one read.
"""

import asyncio
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import anyio

from rally_mcp import logs
from rally_mcp.errors import UpstreamUnavailable

if TYPE_CHECKING:
    # At run time the library is imported by the first read: it costs a cold start 0.2 s.
    from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient

MEMORY = timedelta(minutes=5)
"""How long a secret is used without asking again: a disabled version stops working this soon,
and a busy instance asks Secret Manager 12 times an hour, for next to no money."""

REREAD_PAUSE = timedelta(seconds=5)
"""Between reads that callers force. Anybody can cause one by signing in while the secret at the
upstream is wrong, so their number must not be anybody's choice."""

READ_SECONDS = 5.0
"""Secret Manager answers in some 20 ms; this leaves room for a cold channel and one retry."""

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.5

_FORMS = re.compile(
    r"(?P<secret_manager>projects/[^/\s]+/secrets/[^/\s]+/versions/(?:[0-9]+|latest))"
    r"|env:(?P<environment>[A-Za-z_]\w*)"
    r"|file:(?P<file>\S.*)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class SecretReference:
    """Where a secret is kept; no secret itself, and fit for logs. `str()` gives the setting."""

    text: str
    source: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "SecretReference":
        """Read a reference from a setting.

        Raises ValueError, which never repeats `text`: people paste the secret itself.
        """
        form = _FORMS.fullmatch(text)
        if form is None or form.lastgroup is None:
            raise ValueError(
                "must be a reference, never the secret itself: "
                "projects/P/secrets/S/versions/V, env:NAME or file:PATH"
            )
        return cls(text, form.lastgroup, form[form.lastgroup])

    def __str__(self) -> str:
        return self.text


class SecretUnreadable(UpstreamUnavailable):
    """The secret cannot be read. `problem` names the reference and the remedy, for the log."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            "This deployment cannot read a secret it needs; its administrator finds why in the log."
        )
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


@dataclass(frozen=True, slots=True)
class _Remembered:
    secret: str = field(repr=False)
    read_at: datetime


class SecretStore:
    """Secrets by reference, remembered in this instance's memory.

    `client_factory` makes the Secret Manager client, inside the running loop and only where a
    reference needs it. Both verbs raise SecretUnreadable when the secret cannot be read in
    `timeout` seconds or is empty.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        client_factory: Callable[[], "SecretManagerServiceAsyncClient"] | None = None,
        environment: Mapping[str, str] = os.environ,
        timeout: float = READ_SECONDS,
    ) -> None:
        self._clock = clock
        self._client_factory = client_factory or _secret_manager_client
        self._environment = environment
        self._timeout = timeout
        self._client: SecretManagerServiceAsyncClient | None = None
        self._remembered: dict[SecretReference, _Remembered] = {}
        self._tried_at: dict[SecretReference, datetime] = {}
        self._reads: dict[SecretReference, asyncio.Task[str]] = {}

    async def get(self, reference: SecretReference) -> str:
        """Return the secret, at most five minutes old."""
        remembered = self._remembered.get(reference)
        if remembered and self._clock() - remembered.read_at < MEMORY:
            return remembered.secret
        return await self._read_once(reference)

    async def reread(self, reference: SecretReference) -> str:
        """Return the secret as it is now, because the one from `get` is no longer accepted.

        Reads at most once in five seconds; in between it does what `get` does.
        """
        tried_at = self._tried_at.get(reference)
        was_just_tried = tried_at is not None and self._clock() - tried_at < REREAD_PAUSE
        if was_just_tried and reference not in self._reads:
            return await self.get(reference)
        return await self._read_once(reference)

    async def close(self) -> None:
        """Close the channel to Secret Manager. The store is not used afterwards."""
        if self._client is not None:
            await self._client.transport.close()  # type: ignore[no-untyped-call]  # the library left it untyped

    async def _read_once(self, reference: SecretReference) -> str:
        """Join the read that is under way, or start one that outlives a caller who gives up."""
        read = self._reads.get(reference)
        if read is None:
            read = asyncio.create_task(self._read(reference))
            self._reads[reference] = read
            read.add_done_callback(lambda done: self._finish(reference, done))
        return await asyncio.shield(read)

    def _finish(self, reference: SecretReference, read: "asyncio.Task[str]") -> None:
        del self._reads[reference]
        error = None if read.cancelled() else read.exception()
        if isinstance(error, SecretUnreadable):
            logs.event("ERROR", "a secret cannot be read", problem=error.problem)

    async def _read(self, reference: SecretReference) -> str:
        self._tried_at[reference] = self._clock()
        try:
            async with asyncio.timeout(self._timeout):
                text = await self._read_source(reference)
        except TimeoutError as error:
            raise SecretUnreadable(f"{reference} could not be read in time; try again.") from error
        secret = text.rstrip("\r\n")
        if not secret.strip():
            raise SecretUnreadable(f"{reference} is empty or not set; put the secret there.")
        self._remembered[reference] = _Remembered(secret, self._clock())
        return secret

    async def _read_source(self, reference: SecretReference) -> str:
        if reference.source == "environment":
            return self._environment.get(reference.name, "")
        try:
            if reference.source == "file":
                return await anyio.Path(reference.name).read_text("utf-8")
            return (await self._access(reference)).decode()
        except UnicodeDecodeError:
            # Without its cause, which holds the secret.
            raise SecretUnreadable(f"{reference} is not UTF-8 text.") from None
        except OSError as error:
            raise SecretUnreadable(
                f"{reference} cannot be read; check that the file exists and may be read."
            ) from error

    async def _access(self, reference: SecretReference) -> bytes:
        from google.api_core.exceptions import GoogleAPIError, ServiceUnavailable
        from google.api_core.retry_async import AsyncRetry, if_exception_type
        from google.auth.exceptions import GoogleAuthError

        # The library's own policy waits two seconds first, and goes on for a minute.
        retry = AsyncRetry(
            predicate=if_exception_type(ServiceUnavailable),
            initial=_FIRST_PAUSE_SECONDS,
            maximum=_LONGEST_PAUSE_SECONDS,
            timeout=self._timeout,
        )
        try:
            self._client = self._client or self._client_factory()
            answer = await self._client.access_secret_version(
                name=reference.name, retry=retry, timeout=self._timeout
            )
        except (GoogleAPIError, GoogleAuthError) as error:
            raise SecretUnreadable(f"{reference} {_remedy(error)}") from error
        return bytes(answer.payload.data)


def _remedy(error: Exception) -> str:
    from google.api_core import exceptions as google
    from google.auth.exceptions import GoogleAuthError

    match error:
        case google.NotFound():
            return "does not exist; add a version to the secret, or correct the reference."
        case google.Forbidden():
            return (
                "may not be read; grant this function's service account "
                "roles/secretmanager.secretAccessor on the secret."
            )
        case google.FailedPrecondition():
            return "is disabled or destroyed; enable it, or refer to another version."
        case google.Unauthenticated() | GoogleAuthError():
            return "needs Google credentials; run as a service account, or log in with gcloud."
        case _:
            return "could not be read from Secret Manager; try again."


def _secret_manager_client() -> "SecretManagerServiceAsyncClient":
    from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient

    return SecretManagerServiceAsyncClient()
