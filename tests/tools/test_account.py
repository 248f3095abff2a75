"""Who is signed in, finishing a sign-in, and signing out."""

import pytest

from tests.fixtures.mcp_call import call_over_mcp, text_of
from tests.fixtures.rally_wire import WSAPI, answers, rewrites
from tests.fixtures.signed_in import signed_in

USER = f"{WSAPI}/user"


def by_reference(user):
    """Leave of the profile what Rally shows when it does not write it out."""
    profile = user["UserProfile"]
    user["UserProfile"] = {name: profile[name] for name in ("_ref", "_refObjectName", "_type")}


async def test_the_user_comes_with_default_workspace_and_project(ann, rally):
    rally.stats.clear()

    answer = await ann.call("get_rally_user")

    assert answer.json() == {
        "id": str(rally.users["ann"].object_id),
        "user_name": "ann@example.com",
        "display_name": "Ann Archer",
        "email_address": "ann@example.com",
        "default_workspace": "Acme Workspace",
        "default_project": "Backlog",
    }
    assert len(rally.stats.requests) == 1


async def test_a_profile_that_comes_as_a_reference_is_read(wired_ann, wire, rally):
    whole = (await wired_ann.call("get_rally_user")).json()
    wire.disturb("GET", USER, rewrites(by_reference))
    rally.stats.clear()

    answer = await wired_ann.call("get_rally_user")

    assert answer.json() == whole
    assert rally.stats.wsapi_requests == {"GET User": 1, "GET UserProfile": 1}


async def test_a_user_who_comes_as_a_query_result_is_read_too(wired_ann, wire):
    found = {"ObjectID": 7, "UserName": "ann@example.com", "UserProfile": {}}
    wire.disturb("GET", USER, answers({"QueryResult": {"Results": [found]}}))

    answer = await wired_ann.call("get_rally_user")

    assert answer.json()["id"] == "7"
    assert answer.json()["default_project"] == ""


@pytest.mark.parametrize("name", ["DisplayName", "EmailAddress", "UserProfile"])
async def test_what_rally_does_not_tell_of_a_user_is_empty(wired_ann, wire, name):
    wire.disturb("GET", USER, rewrites(lambda user: user.update({name: None})))

    answer = await wired_ann.call("get_rally_user")

    assert answer.status_code == 200
    assert answer.json()["user_name"] == "ann@example.com"


async def test_a_user_without_an_id_is_a_502(wired_ann, wire):
    wire.disturb("GET", USER, answers({"User": {"UserName": "ann@example.com"}}))

    answer = await wired_ann.call("get_rally_user")

    assert answer.status_code == 502
    assert answer.json()["error"] == "Failed to get Rally user"


async def test_a_users_names_are_clean_lines(wired_ann, wire):
    strange = "Ann\u202e\n\u200bArcher" + "x" * 600
    wire.disturb("GET", USER, rewrites(lambda user: user.update(DisplayName=strange)))

    name = (await wired_ann.call("get_rally_user")).json()["display_name"]

    assert name.startswith("Ann Archerxxx")
    assert len(name) == 256


async def test_each_chat_is_its_own_user(deployment, ann):
    bob = await signed_in(deployment, "bob")

    results = [await call_over_mcp(chat, "get_rally_user") for chat in (ann, bob)]

    assert [text_of(result).splitlines()[0] for result in results] == [
        "Signed in to Rally as Ann Archer.",
        "Signed in to Rally as Bob Baker.",
    ]
    assert "\ndefault_project: Backlog\n" in text_of(results[0])


@pytest.mark.parametrize("tool", ["get_rally_user", "auth_status", "sign_out"])
async def test_an_argument_that_a_tool_does_not_take_is_refused(ann, tool):
    answer = await ann.call(tool, everywhere=True)
    still = await ann.call("get_rally_user")

    assert answer.status_code == 400
    assert "everywhere: " in answer.json()["message"]
    assert still.status_code == 200


@pytest.mark.parametrize("arguments", [{}, {"code": ""}, {"code": "7" * 65}, {"code": 7}])
async def test_a_confirmation_code_out_of_bounds_is_a_400(deployment, arguments):
    answer = await deployment.caller().call("complete_sign_in", **arguments)

    assert answer.status_code == 400
    assert answer.json()["error"] == "Failed to complete sign-in"
    assert "code: " in answer.json()["message"]


async def test_a_code_where_no_sign_in_waits_is_a_404(deployment):
    answer = await deployment.caller().call("complete_sign_in", code="K7QF-2M9X")

    assert answer.status_code == 404


async def test_who_signed_out_is_asked_to_sign_in_and_may_say_it_twice(ann):
    first = await ann.call("sign_out")
    second = await ann.call("sign_out")
    after = await ann.call("get_rally_user")

    assert first.json() == {"success": True, "message": "Signed out of Rally. Tokens are deleted."}
    assert second.json() == {"success": True, "message": "Nobody was signed in."}
    assert after.status_code == 401
