"""What the metrics of tool calls and of Rally's failures count, of lines that functions write."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from devtools.github_simulator import GitHubSimulator
from devtools.rally_simulator import Fault
from rally_mcp.storage.sqlite import SqliteStore
from tests.fixtures.deployment import Clock, Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.mcp_call import call_over_mcp
from tests.fixtures.oauth_client import new_client
from tests.fixtures.on_github import sign_in_to_github
from tests.fixtures.rally_wire import TOKEN, WSAPI, fails, wired
from tests.fixtures.signed_in import WITHOUT_CODE, signed_in
from tests.infra.cloud_log import count, counted

Deploy = Callable[..., Deployment]


@pytest.mark.parametrize("status", [500, 503, 504])
async def test_calls_that_rally_did_not_serve_count_over_rest_and_over_mcp(deploy, rally, status):
    chat = await signed_in(deploy(**WITHOUT_CODE))
    rally.faults.add(Fault(path_prefix=WSAPI, status=status, count=None))

    counts = await count(
        lambda: chat.call("get_rally_user"), lambda: call_over_mcp(chat, "get_rally_user")
    )

    assert counts == {"tool-calls": 2, "rally-unavailability": 2}


async def test_a_refresh_that_rally_did_not_serve_counts_and_so_does_its_call(deploy, rally, clock):
    chat = await signed_in(deploy(**WITHOUT_CODE))
    clock.advance(days=1)
    rally.faults.add(Fault(path_prefix=TOKEN, status=503))

    with written_log() as log:
        await chat.call("get_rally_user")

    events = [line["message"] for line in counted(log.lines)["rally-unavailability"]]
    assert events == ["tokens.refresh_failed", "tool.called"]


async def test_a_sign_in_that_rally_did_not_serve_counts_as_both(deploy):
    deployment = wired(deploy(**WITHOUT_CODE))
    deployment.wire.disturb("POST", TOKEN, fails(httpx.ReadTimeout))
    chat = deployment.caller(instance=-1)
    url = await chat.auth_url()

    counts = await count(lambda: chat.visit(url))

    assert counts == {"sign-in-failures": 1, "rally-unavailability": 1}


async def test_what_rally_refuses_is_no_failure_of_rally(deploy, rally):
    chat = await signed_in(deploy(**WITHOUT_CODE))
    rally.faults.add(Fault(path_prefix=WSAPI, status=429, retry_after=60, count=None))

    counts = await count(
        lambda: chat.call("get_rally_user"), lambda: chat.call("create_rally_story", title="")
    )

    assert counts == {"tool-calls": 2}


async def test_githubs_failure_is_not_rallys(deploy_with, github: GitHubSimulator):
    chat = deploy_with("rally,github", **WITHOUT_CODE).caller()
    await sign_in_to_github(chat)
    github.faults.add(Fault(path_prefix="/api/v3", status=503, count=None))

    counts = await count(lambda: chat.call("get_github_user"))

    assert counts == {"tool-calls": 1}


async def test_the_databases_failure_is_not_rallys(deploy: Deploy, clock: Clock, tmp_path: Path):
    path = tmp_path / "busy.db"
    patience = timedelta(milliseconds=50)
    chat = await signed_in(
        deploy(lambda: SqliteStore(path, clock=clock, patience=patience), **WITHOUT_CODE)
    )
    clock.advance(days=1)

    with closing(sqlite3.connect(path, isolation_level=None)) as other_process:
        other_process.execute("BEGIN IMMEDIATE")
        counts = await count(lambda: chat.call("get_rally_user"))

    assert counts == {"tool-calls": 1}


async def test_tool_calls_have_a_time_and_a_decision(deployment):
    chat = deployment.caller()
    await chat.sign_in()

    with written_log() as log:
        await chat.call("get_rally_user")
        await chat.call("create_rally_story", title="")
        await deployment.caller().call("get_rally_user")

    calls = counted(log.lines)["tool-calls"]
    assert all(0 <= line["milliseconds"] < 60_000 for line in calls)
    assert [(line["tool"], line["decision"]) for line in calls] == [
        ("get_rally_user", "allowed"),
        ("create_rally_story", "refused"),
        ("get_rally_user", "sign_in_required"),
    ]


async def test_a_call_that_never_ran_has_no_time_and_does_not_count(deployment):
    client = new_client(deployment, scope="rally:read")
    tokens = await client.sign_in()

    counts = await count(
        lambda: client.call(tokens["access_token"], "create_rally_story", title="")
    )

    assert counts == {}
