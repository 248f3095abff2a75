"""What a log line looks like, and what never gets into one."""

import io
import json
import logging
import os
import socket
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime, timedelta

import pytest

from rally_mcp import logs
from rally_mcp.errors import ConfigurationError, UpstreamUnavailable

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
CANARY = "c4n4ry"
SESSION_ID = "5f0c6b6e-3c0a-4d3c-9a57-0a4f6d6b7f11"


class Unprintable:
    """Raises whenever somebody wants to see it."""

    def __repr__(self):
        raise RuntimeError("do not look")


@pytest.fixture(autouse=True)
def logging_put_back():
    """Leave the process's logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in ("httpx", "mcp", "uvicorn.access")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.fixture(autouse=True)
def configured(logging_put_back):
    logs.configure("mcp_endpoint", "a-project")


@pytest.fixture
def lines(capsys):
    """Read the lines that were written since the last call."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def line(lines):
    """Read the only line that was written."""

    def line():
        [only] = lines()
        return only

    return line


def test_an_event_is_one_line_that_cloud_logging_understands(line):
    logs.event("WARNING", "something\nhappened", tries=3, who=None, share=0.5, ok=True)

    written = line()
    written_at = datetime.fromisoformat(written.pop("time"))
    assert written_at.utcoffset() == timedelta(0)
    assert written == {
        "severity": "WARNING",
        "message": "something\nhappened",
        "logging.googleapis.com/labels": {"function": "mcp_endpoint"},
        "tries": 3,
        "who": None,
        "share": 0.5,
        "ok": True,
    }


def test_a_library_logs_in_the_same_form_under_its_name(line):
    logging.getLogger("a.library").warning("%d things", 3)

    written = line()
    assert written["message"] == "3 things"
    assert written["logger"] == "a.library"


def test_an_event_cannot_replace_what_the_line_itself_says(line):
    logs.event("INFO", "the message", message="another", severity="ERROR", time="never")

    written = line()
    assert written["message"] == "the message"
    assert written["severity"] == "INFO"
    assert written["time"] != "never"


def test_configuring_twice_writes_each_event_once(line):
    logs.configure("auth_redirect", None)

    logs.event("INFO", "once")

    assert line()["logging.googleapis.com/labels"] == {"function": "auth_redirect"}


@pytest.mark.parametrize(
    "name", ["httpx", "httpcore.http11", "google.auth", "mcp", "uvicorn.access"]
)
def test_libraries_that_tell_every_request_are_quiet(lines, name):
    logging.getLogger(name).info("GET https://rally.example/callback?code=c4n4ry")

    assert lines() == []


def test_each_line_is_one_write():
    # Of such a socket, one read returns what one write wrote.
    reader, writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with reader, os.fdopen(writer.detach(), "w") as stdout, redirect_stdout(stdout):
        logs.event("INFO", "first\nline", **{f"n{i}": "x" * 2_000 for i in range(10)})
        logs.event("INFO", "second line")

        writes = [reader.recv(100_000), reader.recv(100_000)]

    assert [json.loads(write)["message"] for write in writes] == ["first\nline", "second line"]
    assert [write.count(b"\n") for write in writes] == [1, 1]


@pytest.mark.parametrize(
    ("headers", "span", "is_sampled"),
    [
        ({"traceparent": f"00-{TRACE}-{SPAN}-01"}, SPAN, True),
        ({"traceparent": f"00-{TRACE}-{SPAN}-00"}, SPAN, False),
        ({"traceparent": f"01-{TRACE}-{SPAN}-01-more"}, SPAN, True),
        ({"x-cloud-trace-context": f"{TRACE}/67667974448284343;o=1"}, SPAN, True),
        ({"x-cloud-trace-context": f"{TRACE.upper()}/67667974448284343"}, SPAN, False),
        ({"x-cloud-trace-context": f"{TRACE};o=1"}, None, True),
        ({"x-cloud-trace-context": f"{TRACE}/0;o=1"}, None, True),
        ({"x-cloud-trace-context": f"{TRACE}/{2**64}"}, None, False),
        ({"traceparent": "junk", "x-cloud-trace-context": TRACE}, None, False),
    ],
)
def test_a_line_belongs_to_the_trace_of_its_request(line, headers, span, is_sampled):
    with logs.bind_trace(headers):
        logs.event("INFO", "traced")

    written = line()
    assert written["logging.googleapis.com/trace"] == f"projects/a-project/traces/{TRACE}"
    assert written.get("logging.googleapis.com/spanId") == span
    assert written["logging.googleapis.com/trace_sampled"] is is_sampled


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"traceparent": f"00-{'0' * 32}-{SPAN}-01"},
        {"traceparent": f"00-{TRACE}-{'0' * 16}-01"},
        {"traceparent": f"ff-{TRACE}-{SPAN}-01"},
        {"traceparent": f"00-{TRACE}-{SPAN}-01\n"},
        {"x-cloud-trace-context": "c4n4ry/1;o=1"},
    ],
)
def test_a_request_without_a_valid_trace_has_none(line, headers):
    with logs.bind_trace(headers):
        logs.event("INFO", "untraced")

    assert "trace" not in " ".join(line())


def test_a_trace_ends_with_its_request(lines):
    with logs.bind_trace({"traceparent": f"00-{TRACE}-{SPAN}-01"}):
        pass

    logs.event("INFO", "later")

    assert "logging.googleapis.com/trace" not in lines()[0]


def test_without_a_project_the_trace_is_its_bare_id(line):
    logs.configure("mcp_endpoint", None)

    with logs.bind_trace({"traceparent": f"00-{TRACE}-{SPAN}-01"}):
        logs.event("INFO", "local")

    assert line()["logging.googleapis.com/trace"] == TRACE


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "session-id",
        "session_id",
        "sessionId",
        "access_token",
        "refreshToken",
        "client_secret",
        "code",
        "authorization_code",
        "confirmation_code",
        "code_verifier",
        "state",
        "Set-Cookie",
        "password",
        "api_key",
        "ZSESSIONID",
        "ticket",
        "client_assertion",
    ],
)
def test_a_field_named_like_a_secret_is_cut_out(line, name):
    logs.event("INFO", "careless", **{name: "c4n4ry", "headers": {name: ["c4n4ry"]}})

    written = line()
    assert written[name] == logs.REDACTED
    assert written["headers"] == {name: logs.REDACTED}


@pytest.mark.parametrize(
    "name", ["status_code", "schedule_state", "error_code", "principal", "key"]
)
def test_a_field_that_only_resembles_one_is_kept(line, name):
    logs.event("INFO", "careful", **{name: "kept"})

    assert line()[name] == "kept"


@pytest.mark.parametrize(
    "secret",
    [
        "rmcp_at_c4n4ry",
        "rmcp_rt_c4n4ry-._~x",
        "rmcp_ac_grant.c4n4ry",
        "Bearer c4n4ry-c4n4ry",
        "basic c4n4ryc4n4ry==",
        SESSION_ID,
        SESSION_ID.upper(),
        "_c4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ry",
        "?code=c4n4ry&x=1",
        "&state=c4n4ry",
        "&access_token=c4n4ry",
    ],
)
def test_text_that_looks_like_a_secret_is_cut_out(capsys, secret):
    logs.event("INFO", f"see {secret}", note=f"({secret})", nested=[{"a": (secret,)}])
    logging.getLogger("a.library").warning("sent %s", secret)

    written = capsys.readouterr().out
    assert "c4n4ry" not in written
    assert SESSION_ID not in written.lower()
    assert written.count(logs.REDACTED) == 4


def test_a_secret_across_the_cut_is_not_halved(line):
    logs.event("INFO", "cut", text="." * (logs.LONGEST_TEXT - 20) + SESSION_ID)

    assert SESSION_ID[:8] not in line()["text"]


def test_long_text_is_cut(line):
    logs.event("INFO", "long", text="x" * 5_000, y=["z" * 5_000])

    written = line()
    assert written["text"] == "x" * logs.LONGEST_TEXT
    assert written["y"] == ["z" * logs.LONGEST_TEXT]


def test_what_json_cannot_express_becomes_the_name_of_its_type(line):
    loop = []
    loop.append(loop)

    logs.event(
        "INFO",
        "odd",
        thing=Unprintable(),
        bytes=b"c4n4ry",
        nan=float("nan"),
        lone="\ud800",
        mapping={1: "dropped", "kept": Unprintable()},
        set=frozenset({"one"}),
        loop=loop,
    )

    written = line()
    assert written["thing"] == "Unprintable"
    assert written["bytes"] == "bytes"
    assert written["nan"] == "nan"
    assert written["lone"] == "\ud800"
    assert written["mapping"] == {"kept": "Unprintable"}
    assert written["set"] == ["one"]
    assert written["loop"] == [[[["list"]]]]


def test_a_line_that_cannot_be_made_says_so_and_shows_nothing(capsys):
    logs.configure("mcp_endpoint", None)  # removes the handler of pytest, which would raise

    logging.getLogger("a.library").warning("%s and %s", Unprintable(), "c4n4ry")

    printed = capsys.readouterr()
    assert printed.out == ""
    assert json.loads(printed.err) == {
        "severity": "ERROR",
        "message": "a log line was lost",
        "logger": "a.library",
    }


def test_logging_survives_a_closed_stdout():
    closed = io.StringIO()
    closed.close()

    with redirect_stdout(closed), redirect_stderr(closed):
        logs.event("INFO", "nobody reads this")


def fail(number):
    try:
        int(number)
    except ValueError as error:
        raise UpstreamUnavailable("Rally cannot be reached; try again later.") from error


def test_an_error_has_a_stack_trace_with_our_words_alone(line):
    with pytest.raises(UpstreamUnavailable) as raised:
        fail(CANARY)

    logs.exception("unexpected failure", raised.value, correlation_id="K7QF")

    written = line()
    assert written["severity"] == "ERROR"
    assert written["correlation_id"] == "K7QF"
    trace = written["stack_trace"]
    assert trace.startswith("Traceback (most recent call last):")
    assert "in fail" in trace
    assert "builtins.ValueError: (message withheld)" in trace
    assert trace.endswith("UpstreamUnavailable: Rally cannot be reached; try again later.\n")
    assert CANARY not in trace


def test_a_library_that_logs_an_error_shows_its_type_alone(line):
    try:
        json.loads('{"code": c4n4ry')
    except json.JSONDecodeError:
        logging.getLogger("a.library").exception("it broke")

    trace = line()["stack_trace"]
    assert trace.endswith("json.decoder.JSONDecodeError: (message withheld)\n")


def test_an_error_group_shows_its_first_member(line):
    members = [ConfigurationError("AUTH_URL is missing"), KeyError("c4n4ry")]
    group = ExceptionGroup("c4n4ry", members)

    logs.exception("unexpected failure", group)

    trace = line()["stack_trace"]
    assert "ConfigurationError: AUTH_URL is missing" in trace
    assert "ExceptionGroup: (message withheld)" in trace
    assert "c4n4ry" not in trace


def test_an_endless_chain_of_causes_ends(line):
    first, second = KeyError("one"), KeyError("two")
    first.__cause__, second.__cause__ = second, first

    logs.exception("unexpected failure", first)

    assert "KeyError" in line()["stack_trace"]


def test_a_suppressed_context_stays_out(line):
    error = KeyError("outer")
    error.__context__ = ValueError("inner")
    error.__suppress_context__ = True

    logs.exception("unexpected failure", error)

    assert "ValueError" not in line()["stack_trace"]
