"""What every refusal has in common, and how many inputs are tried to find one that has not."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, TypeVar

import httpx
import pytest
from hypothesis import HealthCheck, settings

from tests.fixtures.deployment import Deployment
from tests.fixtures.stored import StoredRow, stored_rows

Test = TypeVar("Test", bound=Callable[..., object])

LONGEST_WORDS = 600
"""Characters: what is wrong, and at most the list of what would be right."""

_INTERNALS = re.compile(
    r"Traceback|site-packages|File \"|\.py\b| object at 0x|<class |<function |"
    r"\b[A-Z]\w+Error\b|pydantic|starlette|sqlite|httpx"
)

_TIMES = int(os.environ.get("BAD_INPUT_TIMES", "1"))
"""BAD_INPUT_TIMES=50 tries fifty times as many inputs, and others in every run."""


def inputs(count: int) -> Callable[[Test], Test]:
    """Try this many inputs, the same ones in every run.

    One deployment serves them all: each input brings what it needs, or is refused. Coverage is not
    measured meanwhile: that would take longer than the test, whose lines are the same every time.
    """
    tried = settings(
        max_examples=count * _TIMES,
        derandomize=_TIMES == 1,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    return lambda test: pytest.mark.no_cover(tried(test))


@dataclass(frozen=True, slots=True)
class Everything:
    """All that a request could change: what is stored here, and how often Rally was written to."""

    rows: list[StoredRow]
    writes: int

    @classmethod
    async def of(cls, deployment: Deployment) -> "Everything":
        """Take stock."""
        requests = deployment.rally.stats.requests
        writes = sum(request.method != "GET" for request in requests)
        return cls(await stored_rows(deployment), writes)


def words(answer: httpx.Response) -> str:
    """Return what an error says: in JSON, as a JSON-RPC error, as a tool's result or on a page."""
    if answer.headers["content-type"].startswith("text/html"):
        return _words_of_page(answer.text)
    document = answer.json()
    if "result" in document:
        return _words_of_result(document["result"])
    error = document["error"]
    if isinstance(error, dict):
        return str(error["message"])
    members = ("error", "message", "error_description")
    return " ".join(str(document[name]) for name in members if name in document)


def assert_refused(answer: httpx.Response, *secrets: str) -> None:
    """Fail unless the answer says in few words what the caller did wrong, and reveals nothing."""
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert_clear(answer, *secrets)


def assert_clear(answer: httpx.Response, *secrets: str) -> None:
    """Fail where an error is silent or wordy, shows internals or repeats one of the secrets."""
    said = words(answer).strip()
    assert said
    assert len(said) <= LONGEST_WORDS, said
    assert not _INTERNALS.search(answer.text), answer.text
    for secret in secrets:
        assert secret not in answer.text
        assert secret not in str(answer.headers)


def _words_of_result(result: dict[str, Any]) -> str:
    assert result["isError"] is True
    [content] = result["content"]
    return str(content["text"])


def _words_of_page(html: str) -> str:
    page = _Page()
    page.feed(html)
    return " ".join("".join(page.text).split())


class _Page(HTMLParser):
    """Keeps the text that a person sees."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self._is_seen = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_seen = self._is_seen or tag == "main"

    def handle_data(self, data: str) -> None:
        if self._is_seen:
            self.text.append(data)
