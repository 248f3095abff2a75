"""How checks wait for one another, and what becomes of those that cannot be made."""

import anyio
import pytest

from devtools.doctor import checks
from devtools.doctor.checks import Check, Failed, Finding, NotChecked, NotPermitted, required


async def holds() -> str:
    return "found"


async def fails() -> str:
    raise Failed("seen, not expected", "do this")


async def cannot_be_made() -> str:
    raise NotChecked("it is Sunday")


async def is_not_permitted() -> str:
    raise NotPermitted("this account may not look", "grant it the role")


async def stumbles() -> str:
    raise LookupError("https://auth.example.com/auth?state=secret")


async def never_ends() -> str:
    await anyio.sleep_forever()
    return ""


def describe(*findings: Finding) -> list[tuple[str, str]]:
    return [(each.name, each.outcome) for each in findings]


async def test_findings_come_in_the_order_of_the_checks() -> None:
    second = Check("second", holds)
    first = Check("first", holds, (second,))

    assert describe(*await checks.run([first, second])) == [("first", "ok"), ("second", "ok")]


async def test_independent_checks_are_made_at_once() -> None:
    met = anyio.Event()

    async def waits() -> None:
        await met.wait()

    async def meets() -> None:
        met.set()

    found = await checks.run([Check("waits", waits), Check("meets", meets)], seconds=5)

    assert describe(*found) == [("waits", "ok"), ("meets", "ok")]


async def test_what_waits_for_a_failure_is_not_checked_and_names_the_first_one() -> None:
    first = Check("first", fails)
    second = Check("second", holds, (first,))
    third = Check("third", holds, (second,))

    _, *later = await checks.run([first, second, third])

    assert describe(*later) == [("second", "not_checked"), ("third", "not_checked")]
    assert {each.problem for each in later} == {"'first' failed"}


async def test_what_waits_for_something_unchecked_is_made_unless_it_needs_the_result() -> None:
    first = Check("first", cannot_be_made)

    async def needs_it() -> str:
        return first.value

    found = await checks.run(
        [first, Check("free", holds, (first,)), Check("x", needs_it, (first,))]
    )

    assert describe(*found) == [("first", "not_checked"), ("free", "ok"), ("x", "not_checked")]
    assert found[-1].problem == "'first' gave no result"


async def test_a_check_can_be_made_of_what_is_left() -> None:
    first = Check("first", fails)
    last = Check("last", holds, once_ended=(first,))

    assert describe(*await checks.run([first, last])) == [("first", "fail"), ("last", "ok")]


async def test_an_unexpected_error_fails_its_check_alone_and_is_not_quoted() -> None:
    found = await checks.run([Check("stumbles", stumbles), Check("holds", holds)])

    assert describe(*found) == [("stumbles", "fail"), ("holds", "ok")]
    assert found[0].problem == "LookupError, which doctor did not expect"
    assert "report it as a bug" in found[0].remedy


async def test_a_check_without_an_end_is_given_up() -> None:
    found = await checks.run([Check("never ends", never_ends), Check("holds", holds)], seconds=0.1)

    assert describe(*found) == [("never ends", "fail"), ("holds", "ok")]
    assert "no end within" in found[0].problem
    assert "run doctor again" in found[0].remedy


@pytest.mark.parametrize(
    ("look", "outcome"),
    [(is_not_permitted, "fail"), (cannot_be_made, "not_checked"), (holds, "ok")],
)
async def test_a_missing_permission_is_a_failure_where_it_is_required(look, outcome) -> None:
    [finding] = await checks.run([Check("needs it", required(look))])

    assert finding.outcome == outcome
