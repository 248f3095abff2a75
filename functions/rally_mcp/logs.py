"""One line of JSON per event, in the form that Cloud Logging reads, without secrets.

    {"severity": "WARNING", "message": "upstream failure", "time": "2026-03-29T12:00:00.123+00:00",
     "logging.googleapis.com/labels": {"function": "mcp_endpoint"},
     "logging.googleapis.com/trace": "projects/P/traces/…", "cause": "ReadTimeout"}

Secrets have no business in a log. What slips through all the same is cut out here: the value of
a field named like a secret, and text that looks like one. That is a net, not a licence.
"""

import json
import logging
import math
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, TextIO

from rally_mcp.errors import RallyMcpError

Severity = Literal["INFO", "WARNING", "ERROR"]

REDACTED = "[redacted]"

LONGEST_TEXT = 2_000
"""Characters of one string; Cloud Logging refuses an entry of more than 256 KiB."""

LONGEST_STACK_TRACE = 16_000
"""Characters; the end is kept, because that is where it happened."""

_MARGIN = 200
"""Characters beyond the longest text that are searched too, so that no cut halves a secret."""

_DEEPEST_FIELD = 4
_MOST_ITEMS = 50
_MOST_CAUSES = 5

_TALKATIVE = (
    "google",
    "gunicorn.access",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "mcp",
    "uvicorn.access",
)
"""Loggers that tell every request at INFO, some with the whole URL, code and state included."""

_SEVERITIES = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
_LEVELS: Mapping[Severity, int] = {"INFO": 20, "WARNING": 30, "ERROR": 40}

_SECRET_NAME = re.compile(
    r"authori[sz]ation|cookie|passw|secret|token|api[-_. ]?key|session[-_. ]?id|verifier"
    r"|assertion|ticket|private[-_. ]?key|^(oauth_)?state$|^code$"
    r"|(auth|authorization|confirmation|user|device)[-_. ]?code",
    re.IGNORECASE,
)

_SECRET_TEXT = re.compile(
    r"\brmcp_(?:at|rt|ac)_[\w.~-]+"
    r"|\b(?:Bearer|Basic)\s+[\w.~+/=-]{8,}"
    # The parameters of our sign-in URLs and of Rally's.
    r"|(?<=[?&\s])(?:code|state|ticket|code_verifier|\w*token|\w*secret)=[^&\s\"']+"
    # A Session-ID is a random UUID.
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b"
    # A Rally API key.
    r"|(?<!\w)_[A-Za-z0-9]{32,}",
    re.IGNORECASE,
)

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)
_CLOUD_TRACE = re.compile(r"(?!0{32})([0-9a-fA-F]{32})(?:/([0-9]{1,20}))?(?:;o=([0-9]))?")

_LOGGER = logging.getLogger("rally_mcp")


@dataclass(frozen=True, slots=True)
class _Trace:
    trace_id: str
    span_id: str | None
    is_sampled: bool


_trace: ContextVar[_Trace | None] = ContextVar("trace", default=None)


def configure(
    service: str, project: str | None, *, to: Literal["stdout", "stderr"] = "stdout"
) -> None:
    """Send everything that is logged, libraries included, to stdout as JSON from INFO up.

    `service` is the function's name. `project` makes traces clickable in Cloud Logging. `to` is for
    a process whose stdout is spoken for. Call it once at start; a second call replaces the first.
    Libraries that tell of every request are held to WARNING.
    """
    handler = _StandardStream(to)
    handler.setFormatter(_JsonLine(service, project))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def event(severity: Severity, message: str, /, **fields: object) -> None:
    """Log one event. `message` is a constant text; what varies goes into `fields`.

    Never raises: a value that JSON cannot express becomes the name of its type.
    """
    _LOGGER.log(_LEVELS[severity], message, extra={"event_fields": fields})


def exception(message: str, error: BaseException, /, **fields: object) -> None:
    """Log an error with its stack trace, which Error Reporting picks up.

    Only errors of this product appear with their words. Those of others can quote a request, so
    they appear by type alone.
    """
    _LOGGER.error(message, exc_info=error, extra={"event_fields": fields})


@contextmanager
def bind_trace(headers: Mapping[str, str]) -> Iterator[None]:
    """Tie the lines logged inside to the request's trace: W3C `traceparent`, or Google's header.

    `headers` finds lower-case names. Without a valid header the lines have no trace.
    """
    token = _trace.set(_trace_of(headers))
    try:
        yield
    finally:
        _trace.reset(token)


def _trace_of(headers: Mapping[str, str]) -> _Trace | None:
    if found := _TRACEPARENT.fullmatch(headers.get("traceparent", "")):
        return _Trace(found[1], found[2], is_sampled=bool(int(found[3], 16) & 1))
    if found := _CLOUD_TRACE.fullmatch(headers.get("x-cloud-trace-context", "")):
        span = int(found[2] or 0)
        # Google's header counts spans in decimal, its logs in 16 hex digits.
        span_id = f"{span:016x}" if 0 < span < 1 << 64 else None
        return _Trace(found[1].lower(), span_id, is_sampled=found[3] == "1")
    return None


class _StandardStream(logging.StreamHandler[TextIO]):
    """Writes each line with one call; a line that cannot be made is replaced, never raised."""

    def __init__(self, name: Literal["stdout", "stderr"]) -> None:
        super().__init__()
        self._name = name

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = getattr(sys, self._name)  # may have been redirected since
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 logging's name
        # The inherited one prints the arguments, whatever they hold.
        lost = {"severity": "ERROR", "message": "a log line was lost", "logger": record.name}
        with suppress(OSError, ValueError):
            sys.stderr.write(json.dumps(lost) + "\n")


class _JsonLine(logging.Formatter):
    def __init__(self, service: str, project: str | None) -> None:
        super().__init__()
        self._labels = {"function": service}
        self._traces = f"projects/{project}/traces/" if project else ""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "severity": record.levelname if record.levelname in _SEVERITIES else "DEFAULT",
            "message": _clean_text(record.getMessage()),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "logging.googleapis.com/labels": self._labels,
        }
        if trace := _trace.get():
            line["logging.googleapis.com/trace"] = self._traces + trace.trace_id
            line["logging.googleapis.com/trace_sampled"] = trace.is_sampled
            if trace.span_id:
                line["logging.googleapis.com/spanId"] = trace.span_id
        if record.name != _LOGGER.name:
            line["logger"] = record.name
        if record.exc_info and record.exc_info[1]:
            line["stack_trace"] = _stack_trace(record.exc_info[1])
        for name, value in getattr(record, "event_fields", {}).items():
            line.setdefault(name, _clean_field(name, value))
        return json.dumps(line)


def _clean_field(name: str, value: object, depth: int = 0) -> object:
    return REDACTED if _is_secret_name(name) else _clean(value, depth)


def _clean(value: object, depth: int) -> object:
    if isinstance(value, str):
        return _clean_text(value)
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth < _DEEPEST_FIELD and isinstance(value, dict):
        return {
            _clean_text(name): _clean_field(name, item, depth + 1)
            for name, item in list(value.items())[:_MOST_ITEMS]
            if isinstance(name, str)
        }
    if depth < _DEEPEST_FIELD and isinstance(value, list | tuple | set | frozenset):
        return [_clean(item, depth + 1) for item in list(value)[:_MOST_ITEMS]]
    return type(value).__name__


def _clean_text(text: str) -> str:
    return _SECRET_TEXT.sub(REDACTED, text[: LONGEST_TEXT + _MARGIN])[:LONGEST_TEXT]


@lru_cache(maxsize=1024)
def _is_secret_name(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _stack_trace(error: BaseException) -> str:
    """Format as Python does, causes first, with the words of this product's errors alone."""
    parts: list[str] = []
    link: BaseException | None = error
    while link is not None and len(parts) < _MOST_CAUSES:
        words = link.message if isinstance(link, RallyMcpError) else "(message withheld)"
        kind = f"{type(link).__module__}.{type(link).__qualname__}"
        frames = "".join(traceback.format_tb(link.__traceback__))
        parts.append(f"Traceback (most recent call last):\n{frames}{kind}: {words}\n")
        link = _cause(link)
    trace = "\nwhich led to:\n\n".join(reversed(parts))
    return _SECRET_TEXT.sub(REDACTED, trace[-LONGEST_STACK_TRACE:])


def _cause(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        return error.exceptions[0]
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)
