"""`rally-mcp principals`, as a process, on the store that a deployment serves from meanwhile."""

import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from rally_mcp.sign_in.records import PRINCIPALS
from tests.conformance.requirements import requirement
from tests.fixtures.administrator import (
    Administrator,
    administrator_of,
    on_each_store,
    set_to_now,
)
from tests.fixtures.deployment import Caller, Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.oauth_client import OAuthClient, new_client
from tests.fixtures.signed_in import WITHOUT_CODE, signed_in
from tests.fixtures.stored import stored_rows
from tests.fixtures.token_answers import error_of, is_taken


@pytest.fixture
def administrator(request, tmp_path: Path) -> Administrator:
    return administrator_of(request, tmp_path)


@pytest.fixture
def deployment(deploy, clock, administrator: Administrator) -> Deployment:
    set_to_now(clock)
    return deploy(
        new_store=lambda: administrator.open_store(clock),
        **WITHOUT_CODE,
        **administrator.environment,
    )


@pytest.fixture
async def ann(deployment: Deployment) -> Caller:
    """Ann's chat."""
    return await signed_in(deployment, "ann")


@pytest.fixture
async def bob(deployment: Deployment) -> Caller:
    """Bob's chat."""
    return await signed_in(deployment, "bob")


class Board:
    """A client that Ann allowed to work for her."""

    def __init__(self, client: OAuthClient, tokens: dict[str, Any]) -> None:
        self.client = client
        self.tokens = tokens

    async def is_signed_in(self) -> bool:
        return await is_taken(self.client, self.tokens["access_token"])


@pytest.fixture
async def board(deployment: Deployment) -> Board:
    client = new_client(deployment)
    await client.register(client_name="Board of the team")
    return Board(client, await client.sign_in("ann"))


async def is_signed_in(chat: Caller) -> bool:
    """Tell whether a chat's next call works."""
    answer = await chat.call("get_rally_user")

    assert answer.status_code in {200, 401}
    return answer.status_code == 200


async def still_signed_in(*who: Caller | Board) -> list[bool]:
    return [
        await each.is_signed_in() if isinstance(each, Board) else await is_signed_in(each)
        for each in who
    ]


@on_each_store
async def test_the_list_tells_who_is_signed_in_through_what_and_since_when(
    administrator, deployment, ann, board
):
    await deployment.caller().auth_url()

    document = (await administrator.principals("list", "--json")).document
    lines = (await administrator.principals("list")).lines

    told = {(each["client_name"], *each["users"].values(), each["scope"]) for each in document}
    assert told == {
        ("", "Ann Archer", ""),
        ("Board of the team", "Ann Archer", "rally:read rally:write"),
        ("", ""),
    }
    now = deployment.clock().isoformat()[:13]
    assert {each["signed_in_at"].replace(" ", "T")[:13] for each in document} <= {now}
    assert {each["client_id"] for each in document} == {board.client.client_id, ""}
    assert len(lines) == 3
    assert sum("Ann Archer (rally)" in line for line in lines) == 2
    assert sum("on the way" in line for line in lines) == 1


@requirement("C14")
async def test_the_list_names_principals_as_the_audit_log_does_and_tells_no_secret(
    administrator, ann, board
):
    with written_log() as log:
        await ann.call("get_rally_user")
        await board.client.call(board.tokens["access_token"], "get_rally_user")

    listed = await administrator.principals("list", "--json")

    secrets = [ann.session_id, *board.tokens["refresh_token"].removeprefix("rmcp_rt_").split(".")]
    assert {each["principal"] for each in listed.document} == {
        line["principal"] for line in log.audit("tool.called")
    }
    assert not any(secret in listed.out for secret in secrets)


@on_each_store
@requirement("A17", "B25", "C13")
async def test_a_person_who_is_revoked_is_out_at_the_next_call_everywhere_and_nobody_else_is(
    administrator, deployment, ann, bob, board
):
    elsewhere = deployment.scale_out()
    before = await still_signed_in(ann, bob, board)

    revoked = await administrator.principals("revoke", "--user", "ANN ARCHER")

    after = await still_signed_in(ann.on(elsewhere), bob.on(elsewhere), board)
    refreshed = await board.client.refresh(board.tokens["refresh_token"])
    [line] = revoked.audit
    assert before == [True, True, True]
    assert after == [False, True, False]
    assert error_of(refreshed) == (400, "invalid_grant")
    assert revoked.lines == ["2 revoked."]
    assert (line["message"], line["log"]) == ("principal.revoked", "audit")
    assert (line["severity"], line["action"]) == ("NOTICE", "principals revoke")
    assert (line["administrator"], line["user"]) == (
        pwd.getpwuid(os.getuid()).pw_name,
        "ANN ARCHER",
    )


async def test_everybody_of_one_client_can_be_revoked(administrator, ann, board):
    revoked = await administrator.principals("revoke", "--client", board.client.client_id)

    assert revoked.lines == ["1 revoked."]
    assert await still_signed_in(ann, board) == [True, False]


async def test_a_user_can_be_named_by_the_id_that_the_list_shows(administrator, ann, bob):
    document = (await administrator.principals("list", "--json")).document
    [user_id] = {
        each["user_ids"]["rally"] for each in document if each["users"]["rally"] == "Bob Baker"
    }

    await administrator.principals("revoke", "--user", user_id)

    assert await still_signed_in(ann, bob) == [True, False]


async def test_conditions_that_are_given_together_all_have_to_apply(administrator, ann, bob, board):
    options = ("--user", "Bob Baker", "--client", board.client.client_id)

    listed = await administrator.principals("list", "--json", *options)
    revoked = await administrator.run("principals", "revoke", *options)

    assert listed.document == []
    assert revoked.exit_code == 1
    assert revoked.out == ""
    assert "Nobody was revoked: nobody matches." in revoked.err
    assert "FIRESTORE_DATABASE" in revoked.err
    assert await still_signed_in(ann, bob, board) == [True, True, True]


@pytest.mark.parametrize(("age", "left"), [("3d", False), ("71h", False), ("4d", True)])
async def test_sign_ins_of_an_age_can_be_revoked(administrator, deployment, bob, age, left):
    deployment.clock.advance(days=-3, minutes=-1)
    ann = await signed_in(deployment, "ann")
    deployment.clock.advance(days=3, minutes=1)

    await administrator.principals("revoke", "--older-than", age)

    assert await still_signed_in(ann, bob) == [left, True]


async def test_everybody_can_be_revoked_also_who_is_on_the_way(
    administrator, deployment, ann, bob, board
):
    address = await deployment.caller().back_from_rally()

    revoked = await administrator.principals("revoke", "--all")
    page = await deployment.instances[0].browser().get(address)

    assert revoked.lines == ["4 revoked."]
    assert await still_signed_in(ann, bob, board) == [False, False, False]
    assert page.status_code == 400


@pytest.mark.parametrize(
    "options", [(), ("--all", "--user", "Bob Baker"), ("--user", ""), ("--older-than", "3 days")]
)
async def test_nobody_is_revoked_unless_it_is_said_who(administrator, deployment, ann, options):
    before = await stored_rows(deployment, PRINCIPALS)

    refused = await administrator.run("principals", "revoke", *options)

    assert refused.exit_code in {1, 2}
    assert refused.audit == []
    assert refused.out == ""
    assert "--older-than" in refused.complaints[-1]
    assert await stored_rows(deployment, PRINCIPALS) == before


@requirement("C13")
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
async def test_nobody_is_revoked_where_that_cannot_be_written_down(administrator, ann, redirection):
    failed = await administrator.run_redirected(
        "principals", "revoke", "--all", redirections=redirection
    )

    assert failed.exit_code != 0
    assert failed.out == ""
    assert await is_signed_in(ann)
