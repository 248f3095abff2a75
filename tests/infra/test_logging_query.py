"""The subset of the Logging query language in which these tests read the filters of metrics."""

import pytest

from tests.infra.logging_query import parse

ENTRY = {
    "severity": "WARNING",
    "resource": {"type": "cloud_run_revision", "labels": {"service_name": "mcp-endpoint"}},
    "jsonPayload": {"message": "tool.called", "milliseconds": 12.5, "tool": "get_rally_user"},
}


@pytest.mark.parametrize(
    "query",
    [
        'jsonPayload.message="tool.called"',
        'jsonPayload.message = "Tool.Called"',
        'jsonPayload.message=("sign_in.failed" OR "tool.called")',
        'resource.labels.service_name="mcp-endpoint" AND severity=WARNING',
        "severity>=WARNING",
        "severity<ERROR",
        "jsonPayload.milliseconds>=12.5",
        "jsonPayload.milliseconds<=12.5 AND jsonPayload.milliseconds<13",
        'jsonPayload.tool=~"rally"',
        'jsonPayload.tool=~"^get_[a-z]+_user$"',
        "jsonPayload.tool:*",
        "NOT severity>WARNING",
        'NOT jsonPayload.user="Ann"',
        'NOT (severity=ERROR OR jsonPayload.tool="x")',
    ],
)
def test_a_true_query_matches(query):
    assert parse(query)(ENTRY)


@pytest.mark.parametrize(
    "query",
    [
        'jsonPayload.message="tool"',
        'jsonPayload.user="Ann"',
        "jsonPayload.user:*",
        "jsonPayload.user>=0",
        'jsonPayload.tool=~"Rally"',
        'jsonPayload.tool.name="get_rally_user"',
        "severity>=ERROR",
        "jsonPayload.milliseconds>12.5",
        'NOT jsonPayload.message="tool.called"',
        'severity=WARNING AND jsonPayload.tool="x"',
    ],
)
def test_a_false_query_does_not_match(query):
    assert not parse(query)(ENTRY)


def test_or_binds_closer_than_and():
    is_false = 'severity=WARNING OR severity=ERROR AND jsonPayload.tool="x"'

    assert not parse(is_false)(ENTRY)
    assert parse(f"severity=WARNING OR ({is_false})")(ENTRY)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "jsonPayload.message",
        "jsonPayload.message=",
        'jsonPayload.message="tool.called',
        'jsonPayload.message!="tool.called"',
        'jsonPayload.message:"tool"',
        'jsonPayload.message="a" OR',
        'jsonPayload.message=("a" "b")',
        '(jsonPayload.message="a"',
        'jsonPayload.message="a" jsonPayload.tool="b"',
        'SEARCH("tool")',
    ],
)
def test_what_is_not_in_the_subset_is_refused(query):
    with pytest.raises(ValueError, match=r"\w"):
        parse(query)(ENTRY)
