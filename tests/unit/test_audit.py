"""What an audit line says, and whom it does not give away."""

import hashlib
import inspect
import json
import logging

import pytest

from rally_mcp import audit, logs
from rally_mcp.audit import AuditEvent

KEY = "c0ffee" + "0123456789abcdef" * 3 + "0123456789"


@pytest.fixture(autouse=True)
def configured():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("mcp_endpoint", None)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def line(capsys):
    """Read the only line that was written, without its time and labels."""

    def line():
        [only] = capsys.readouterr().out.splitlines()
        return {
            name: value
            for name, value in json.loads(only).items()
            if name not in {"time", "logging.googleapis.com/labels"}
        }

    return line


def test_a_tool_call_says_who_what_how_and_how_long(line):
    audit.write(
        AuditEvent.TOOL_CALLED,
        principal=KEY,
        upstream="rally",
        user="Ann Ängström",
        tool="create_rally_story",
        decision="failed",
        milliseconds=12.5,
        reason="UpstreamTimeout",
    )

    assert line() == {
        "severity": "INFO",
        "message": "tool.called",
        "log": "audit",
        "principal": "c0ffee012345",
        "upstream": "rally",
        "user": "Ann Ängström",
        "tool": "create_rally_story",
        "decision": "failed",
        "milliseconds": 12.5,
        "reason": "UpstreamTimeout",
    }


def test_what_does_not_apply_is_left_out(line):
    audit.write(AuditEvent.SIGNED_OUT, principal=None)

    assert line() == {"severity": "INFO", "message": "signed_out", "log": "audit"}


@pytest.mark.parametrize(
    "event",
    [
        AuditEvent.SIGN_IN_UNCONFIRMED,
        AuditEvent.SIGN_IN_CODE_REFUSED,
        AuditEvent.CREDENTIAL_REFUSED,
    ],
)
def test_what_could_be_an_attack_is_a_warning(line, event):
    audit.write(event, principal=KEY)

    assert line()["severity"] == "WARNING"


@pytest.mark.parametrize("grant_id", ["c4n4ryGrantId", "c4n4ry-0123456789_abcdefghij"])
def test_no_part_of_a_grant_id_is_written(line, grant_id):
    audit.write(AuditEvent.TOKENS_REFRESHED, principal=grant_id)

    assert line()["principal"] == hashlib.sha256(grant_id.encode()).hexdigest()[:12]


@pytest.mark.parametrize(
    "text",
    ["a\nb", '{"severity": "ERROR"}', "<b>", "x" * 81, "", "Grüße", "rmcp_at_c4n4ry=", "a\n"],
)
def test_words_that_are_not_our_own_are_not_written(line, text):
    audit.write(AuditEvent.TOOL_CALLED, principal=KEY, upstream=text, tool=text, reason=text)

    written = line()
    assert written["upstream"] == written["tool"] == written["reason"] == "other"


def test_headlines_of_our_own_are_written(line):
    audit.write(AuditEvent.CREDENTIAL_REFUSED, principal=None, reason="Missing Session-ID header")

    assert line()["reason"] == "Missing Session-ID header"


def test_the_name_of_a_user_is_cut(line):
    audit.write(AuditEvent.SIGN_IN_EXCHANGED, principal=KEY, user="x" * 500)

    assert line()["user"] == "x" * 200


def test_only_typed_arguments_can_be_written():
    kinds = {parameter.kind for parameter in inspect.signature(audit.write).parameters.values()}

    assert inspect.Parameter.VAR_KEYWORD not in kinds


def test_each_event_has_a_name_of_its_own():
    names = [event.value for event in AuditEvent]

    assert len(set(names)) == len(names) == 30
