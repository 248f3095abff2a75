"""The confirmation code: what it protects, how it is tried, and how long it lives."""

import asyncio

import pytest

from rally_mcp.sign_in.confirmation import ALPHABET
from rally_mcp.sign_in.records import PRINCIPALS
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import Caller, Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.mcp_call import call_over_mcp, text_of
from tests.fixtures.meeting_store import meeting
from tests.fixtures.stored import parts_of_principals


async def parked(deployment: Deployment, user: str = "ann") -> tuple[Caller, str]:
    """Return a chat whose tokens wait for a code, and the code."""
    chat = deployment.caller()
    page = await chat.visit(await chat.auth_url(), user)
    return chat, page.code


async def parked_beside_active(deployment: Deployment) -> tuple[Caller, str]:
    """Return a chat that works as ann while bob's tokens wait for a code, and bob's code."""
    chat, code = await parked(deployment, "ann")
    second = await chat.auth_url()
    await chat.call("complete_sign_in", code=code)
    page = await chat.visit(second, "bob")
    return chat, page.code


def wrong(code: str) -> str:
    """Return a code of the right form that is another one."""
    first = ALPHABET[(ALPHABET.index(code[0]) + 1) % len(ALPHABET)]
    return first + code[1:]


async def user_of(chat: Caller) -> str:
    """Return whom a chat works as."""
    return str((await chat.call("get_rally_user")).json().get("display_name"))


@requirement("A14")
async def test_whoever_mails_his_link_to_a_colleague_does_not_get_the_colleagues_rally(deployment):
    attacker = deployment.caller()
    lure = await attacker.auth_url()

    victim = await deployment.caller().visit(lure, "bob")
    answer = await attacker.call("create_rally_story", title="As Bob")

    assert victim.code
    assert "would let them work in Rally as you" in victim.response.text
    assert answer.status_code == 401
    assert "waiting for its confirmation code" in answer.json()["error_description"]
    assert victim.code not in answer.text
    assert await parts_of_principals(deployment) == [{"parked", "pending"}]


@requirement("A15")
async def test_the_code_of_one_chat_does_nothing_in_another(deployment):
    ann, anns_code = await parked(deployment, "ann")
    bob, bobs_code = await parked(deployment, "bob")
    stranger = deployment.caller()

    swapped = [
        await ann.call("complete_sign_in", code=bobs_code),
        await bob.call("complete_sign_in", code=anns_code),
        await stranger.call("complete_sign_in", code=anns_code),
    ]

    assert [answer.status_code for answer in swapped] == [400, 400, 404]
    assert (await ann.call("complete_sign_in", code=anns_code)).status_code == 200
    assert (await bob.call("complete_sign_in", code=bobs_code)).status_code == 200
    assert [await user_of(chat) for chat in (ann, bob)] == ["Ann Archer", "Bob Baker"]


@requirement("A14")
async def test_five_wrong_codes_destroy_what_is_parked(deployment):
    chat, code = await parked(deployment)

    answers = [await chat.call("complete_sign_in", code=wrong(code)) for _ in range(5)]
    right = await chat.call("complete_sign_in", code=code)

    assert [answer.status_code for answer in answers] == [400] * 5
    assert [f"{left} tries left" in answers[4 - left].text for left in (4, 3, 2, 1)] == [True] * 4
    assert "fifth wrong code" in answers[4].text
    assert right.status_code == 404
    assert await parts_of_principals(deployment) == [set()]


@requirement("A14")
async def test_the_right_code_still_works_after_four_wrong_ones(deployment):
    chat, code = await parked(deployment)
    for _ in range(4):
        await chat.call("complete_sign_in", code=wrong(code))

    answer = await chat.call("complete_sign_in", code=code)

    assert answer.status_code == 200
    assert await user_of(chat) == "Ann Archer"


@requirement("A14")
async def test_of_twenty_guesses_at_once_five_are_compared(deployment):
    chat, code = await parked(deployment)
    guesser = chat.on(meeting(deployment, PRINCIPALS, 20))

    answers = await asyncio.gather(
        *(guesser.call("complete_sign_in", code=wrong(code)) for _ in range(20))
    )
    right = await chat.call("complete_sign_in", code=code)

    compared = [answer for answer in answers if answer.status_code == 400]
    assert len(compared) == 5
    assert {answer.status_code for answer in answers} == {400, 404}
    assert sum("fifth wrong code" in answer.text for answer in compared) == 1
    assert right.status_code == 404
    assert await parts_of_principals(deployment) == [set()]


@requirement("A14")
async def test_the_right_code_twenty_times_at_once_activates_once(deployment):
    chat, code = await parked(deployment)
    eager = chat.on(meeting(deployment, PRINCIPALS, 20))

    with written_log() as log:
        answers = await asyncio.gather(
            *(eager.call("complete_sign_in", code=code) for _ in range(20))
        )

    assert 200 in {answer.status_code for answer in answers}
    assert {answer.status_code for answer in answers} <= {200, 404}
    assert len(log.audit("sign_in.confirmed")) == 1
    assert await user_of(chat) == "Ann Archer"


@requirement("A14")
async def test_five_wrong_codes_leave_tokens_that_work_alone(deployment):
    chat, code = await parked_beside_active(deployment)

    for _ in range(5):
        await chat.call("complete_sign_in", code=wrong(code))

    assert await parts_of_principals(deployment) == [{"active"}]
    assert await user_of(chat) == "Ann Archer"


@requirement("A14")
async def test_a_code_that_was_given_up_is_refused_beside_tokens_that_work(deployment):
    chat, code = await parked_beside_active(deployment)
    for _ in range(5):
        await chat.call("complete_sign_in", code=wrong(code))

    answer = await chat.call("complete_sign_in", code=code)

    assert answer.status_code == 404
    assert await user_of(chat) == "Ann Archer"


async def test_a_second_sign_in_takes_over_once_its_code_is_typed(deployment):
    chat, code = await parked_beside_active(deployment)
    before = await user_of(chat)

    answer = await chat.call("complete_sign_in", code=code)

    assert before == "Ann Archer"
    assert "Bob Baker" in answer.json()["message"]
    assert await user_of(chat) == "Bob Baker"


async def test_the_right_code_a_second_time_changes_nothing_and_says_who_is_signed_in(deployment):
    chat, code = await parked(deployment)
    await chat.call("complete_sign_in", code=code)

    again = await chat.call("complete_sign_in", code=code)

    assert again.status_code == 404
    assert "Ann Archer is signed in already" in again.json()["message"]
    assert await user_of(chat) == "Ann Archer"


@pytest.mark.parametrize(
    "typed",
    [
        lambda code: code.lower(),
        lambda code: code.replace("-", ""),
        lambda code: f"  {code[:2]} {code[2:]} - ",
        lambda code: code.replace("0", "O").replace("1", "I"),
        lambda code: code.replace("0", "o").replace("1", "l"),
    ],
    ids=["lower case", "no dash", "spaces", "O and I", "o and l"],
)
async def test_a_code_is_read_as_it_was_meant(deployment, typed):
    chat, code = await parked(deployment)

    answer = await chat.call("complete_sign_in", code=typed(code))

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "typed", ["", "K7QF", "K7QF-2M9X-A", "U" * 8, "code", "K7QF\u20112M9X", "x" * 65]
)
async def test_what_cannot_be_a_code_is_refused_and_costs_no_try(deployment, typed):
    chat, code = await parked(deployment)

    answers = [await chat.call("complete_sign_in", code=typed) for _ in range(6)]

    assert {answer.status_code for answer in answers} == {400}
    assert (await chat.call("complete_sign_in", code=code)).status_code == 200


async def test_a_code_works_until_the_last_second_of_its_ten_minutes(deployment):
    chat, code = await parked(deployment)

    deployment.clock.advance(minutes=9, seconds=59)

    assert (await chat.call("complete_sign_in", code=code)).status_code == 200


@requirement("A14")
async def test_a_code_expires_after_ten_minutes(deployment):
    chat, code = await parked(deployment)

    deployment.clock.advance(minutes=10)
    answer = await chat.call("complete_sign_in", code=code)
    asked = await chat.call("get_rally_user")

    assert answer.status_code == 404
    assert "waiting" not in asked.json()["error_description"]
    assert (await chat.visit(asked.json()["auth_url"])).code


async def test_a_lost_page_is_mended_by_a_fresh_link_and_its_code_stays_good(deployment):
    chat = deployment.caller()
    first = await chat.auth_url()
    page = await chat.visit(first)

    asked = await call_over_mcp(chat, "get_rally_user")
    fresh = await chat.auth_url()
    await chat.back_from_rally()
    answer = await chat.call("complete_sign_in", code=page.code)

    assert "ask for the code" in text_of(asked)
    assert fresh != first
    assert answer.status_code == 200
    assert await user_of(chat) == "Ann Archer"


async def test_a_second_sign_in_replaces_what_is_parked_once_it_is_finished(deployment):
    chat, lost = await parked(deployment, "ann")

    page = await chat.visit(await chat.auth_url(), "bob")
    old = await chat.call("complete_sign_in", code=lost)
    new = await chat.call("complete_sign_in", code=page.code)

    assert old.status_code == 400
    assert "Bob Baker" in new.json()["message"]
