"""How often one caller may ask, and what a process remembers of callers."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rally_mcp.errors import RateLimited
from rally_mcp.rate_limit import Rate, RateLimit
from tests.fixtures.deployment import Clock

FIVE_THEN_ONE_IN_TWELVE_SECONDS = Rate(burst=5, per_minute=5)


@pytest.fixture
def limit(clock: Clock) -> RateLimit:
    return RateLimit(FIVE_THEN_ONE_IN_TWELVE_SECONDS, clock)


def retry_after(limit: RateLimit, key: str = "ann") -> int:
    """Ask once; return how many seconds to wait, 0 where the request is let through."""
    try:
        limit.take(key)
    except RateLimited as limited:
        return limited.retry_after
    return 0


def is_limited(limit: RateLimit, key: str) -> bool:
    try:
        limit.check(key)
    except RateLimited:
        return True
    return False


def ask(limit: RateLimit, times: int, key: str = "ann") -> list[int]:
    return [retry_after(limit, key) for _ in range(times)]


def test_a_burst_is_let_through_and_not_one_request_more(limit):
    answers = ask(limit, 7)

    assert answers == [0, 0, 0, 0, 0, 12, 12]


@pytest.mark.parametrize(
    ("waited", "told"), [(0, 12), (0.5, 12), (1, 11), (11, 1), (11.5, 1), (11.999999, 1), (12, 0)]
)
def test_the_time_to_wait_is_told_in_whole_seconds_and_is_enough(limit, clock, waited, told):
    ask(limit, 5)

    clock.advance(seconds=waited)

    assert retry_after(limit) == told


def test_who_waits_as_told_is_let_through(limit, clock):
    ask(limit, 5)
    clock.advance(seconds=3.7)

    told = retry_after(limit)
    clock.advance(seconds=told)

    assert retry_after(limit) == 0


def test_a_refused_request_uses_nothing_up(limit, clock):
    ask(limit, 5)
    clock.advance(seconds=11)
    ask(limit, 100)
    clock.advance(seconds=1)

    assert ask(limit, 2) == [0, 12]


def test_what_was_used_up_comes_back_bit_by_bit(limit, clock):
    ask(limit, 5)

    clock.advance(seconds=36)

    assert ask(limit, 4) == [0, 0, 0, 12]


def test_no_more_comes_back_than_a_burst(limit, clock):
    ask(limit, 5)

    clock.advance(days=3)

    assert ask(limit, 6) == [0, 0, 0, 0, 0, 12]


def test_two_keys_are_limited_apart(limit):
    ask(limit, 6, "ann")

    assert ask(limit, 5, "bob") == [0] * 5
    assert is_limited(limit, "ann")


def test_checking_uses_nothing_up(limit):
    ask(limit, 4)

    checks = [is_limited(limit, "ann") for _ in range(20)]

    assert checks == [False] * 20
    assert ask(limit, 2) == [0, 12]


def test_a_check_tells_the_time_to_wait_as_a_request_is_told(limit, clock):
    ask(limit, 5)
    clock.advance(seconds=4.5)

    with pytest.raises(RateLimited) as refused:
        limit.check("ann")

    assert refused.value.retry_after == 8


@given(
    burst=st.integers(1, 20),
    per_minute=st.floats(0.1, 600),
    pauses=st.lists(st.floats(0, 30), max_size=60),
)
def test_whatever_the_pauses_no_more_get_through_than_burst_and_average_allow(
    burst, per_minute, pauses
):
    clock = Clock()
    limit = RateLimit(Rate(burst, per_minute), clock)
    started = clock()
    let_through = 0

    for pause in pauses:
        clock.advance(seconds=pause)
        let_through += retry_after(limit) == 0
    minutes = (clock() - started) / timedelta(minutes=1)

    # A microsecond, in which time is counted, can tip the last one.
    assert let_through <= burst + minutes * per_minute + 0.001
    assert let_through >= min(burst, len(pauses))


@pytest.mark.parametrize("back", [{"seconds": 30}, {"hours": 2}, {"days": 365}], ids=str)
def test_a_clock_that_is_set_back_keeps_nobody_out_for_longer_than_one_request(limit, clock, back):
    ask(limit, 5)

    clock.now -= timedelta(**back)
    told = retry_after(limit)
    clock.advance(seconds=12)

    assert told == 12
    assert ask(limit, 2) == [0, 12]


def test_a_clock_that_is_set_back_before_a_check_keeps_nobody_out_either(limit, clock):
    ask(limit, 5)

    clock.now -= timedelta(hours=2)
    assert is_limited(limit, "ann")
    clock.advance(seconds=12)

    assert not is_limited(limit, "ann")


def test_no_more_keys_are_remembered_than_allowed(clock):
    limit = RateLimit(Rate(burst=1, per_minute=1), clock, most_keys=100)
    keys = [str(n) for n in range(5_000)]

    for key in keys:
        ask(limit, 1, key)

    assert 50 <= sum(is_limited(limit, key) for key in keys) <= 100


def test_as_many_keys_as_allowed_are_all_remembered(clock):
    limit = RateLimit(Rate(burst=1, per_minute=1), clock, most_keys=100)
    keys = [str(n) for n in range(100)]

    for key in keys:
        ask(limit, 1, key)

    assert all(is_limited(limit, key) for key in keys)


def test_a_flood_of_fresh_keys_does_not_free_one_that_is_limited(clock):
    limit = RateLimit(FIVE_THEN_ONE_IN_TWELVE_SECONDS, clock, most_keys=100)
    ask(limit, 5, "ann")

    for n in range(5_000):
        clock.advance(milliseconds=1)
        ask(limit, 1, str(n))

    assert is_limited(limit, "ann")


def test_a_key_is_freed_by_many_others_that_are_used_as_hard(clock):
    limit = RateLimit(FIVE_THEN_ONE_IN_TWELVE_SECONDS, clock, most_keys=100)
    ask(limit, 5, "ann")

    for n in range(101):
        clock.advance(milliseconds=1)
        ask(limit, 5, str(n))

    assert not is_limited(limit, "ann")
    assert is_limited(limit, "100")


def test_keys_that_are_full_again_are_forgotten_before_any_that_is_limited(clock):
    limit = RateLimit(FIVE_THEN_ONE_IN_TWELVE_SECONDS, clock, most_keys=100)
    for n in range(60):
        ask(limit, 1, f"once, earlier {n}")
    clock.advance(seconds=12)
    limited = [f"limited {n}" for n in range(40)]
    for key in limited:
        ask(limit, 5, key)

    for n in range(60):
        ask(limit, 1, f"once, now {n}")

    assert all(is_limited(limit, key) for key in limited)
    assert is_limited(limit, "once, now 0") is False


def test_a_limit_that_is_off_refuses_nothing():
    limit = RateLimit.off()

    answers = [*ask(limit, 1_000), *ask(limit, 1_000, "bob")]

    assert set(answers) == {0}
    assert not is_limited(limit, "ann")
