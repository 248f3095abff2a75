"""What every store promises, tried on SQLite and on the Firestore emulator."""

from asyncio import gather
from datetime import UTC, datetime, timedelta, timezone

import anyio
import pytest

from rally_mcp.storage.port import Stored

EVERYTHING = {
    "text": "Grüße, 日本, 🚀 and \u202etricks",
    "empty": "",
    "integer": 2**63 - 1,
    "negative": -(2**63),
    "fraction": 0.1,
    "yes": True,
    "nothing": None,
    "list": [1, "two", None, {"three": [3]}, {}],
    "object": {"a.b": 1, "`": 3, "/": {"deep": {"er": []}}},
    "dotted.name": "kept apart",
    "back`tick\\": "kept too",
    "ünïcode": "name",
}


async def test_a_key_that_was_never_written_is_absent(store):
    assert await store.get("things", "missing") is None
    assert await store.take("things", "missing") is None
    assert await store.update("things", "missing", lambda old: old) is None


async def test_what_was_put_comes_back_unchanged(store, clock):
    stored = Stored(EVERYTHING, clock() + timedelta(minutes=10, microseconds=1))

    await store.put("things", "key", stored)

    assert stored == await store.get("things", "key")


async def test_an_empty_document_is_not_an_absent_one(store, lasting):
    await store.put("things", "key", lasting())

    assert lasting() == await store.get("things", "key")


async def test_the_type_of_a_number_is_kept(store, lasting):
    await store.put("things", "key", lasting(integer=1, fraction=1.0, truth=True))

    document = (await store.get("things", "key")).document
    types = {"integer": int, "fraction": float, "truth": bool}
    assert types == {name: type(value) for name, value in document.items()}


async def test_a_document_of_a_hundred_kilobytes_comes_back(store, lasting):
    sealed = "s" * 100_000

    await store.put("things", "key", lasting(sealed=sealed))

    assert lasting(sealed=sealed) == await store.get("things", "key")


async def test_a_time_zone_does_not_change_the_moment(store, clock):
    elsewhere = (clock() + timedelta(minutes=1)).astimezone(timezone(timedelta(hours=-7)))

    await store.put("things", "key", Stored({}, elsewhere))

    assert elsewhere == (await store.get("things", "key")).expire_at


async def test_put_replaces_the_whole_document(store, lasting):
    await store.put("things", "key", lasting(a=1, b={"c": 2}))
    await store.put("things", "key", lasting(b={"d": 3}))

    assert lasting(b={"d": 3}) == await store.get("things", "key")


async def test_collections_are_separate(store, lasting):
    await store.put("things", "key", lasting(n=1))

    assert await store.get("others", "key") is None
    assert await store.create("others", "key", lasting(n=2))
    assert lasting(n=1) == await store.get("things", "key")


@pytest.mark.parametrize("key", ["a", "-", "...", "a.b:c_d-e", "__a", "0" * 512])
async def test_an_odd_key_is_a_key(store, lasting, key):
    await store.put("things", key, lasting(n=1))

    assert [(key, lasting(n=1))] == [found async for found in store.scan("things")]
    assert lasting(n=1) == await store.take("things", key)


@pytest.mark.parametrize("key", ["", ".", "..", "a/b", "a b", "ä", "a\n", "__a__", "0" * 513])
async def test_a_key_that_firestore_could_not_hold_is_refused(store, lasting, key):
    with pytest.raises(ValueError, match="512"):
        await store.get("things", key)
    with pytest.raises(ValueError, match="512"):
        await store.put(key, "key", lasting())


@pytest.mark.parametrize(
    "document",
    [
        {"expire_at": "2026-03-29"},
        {"": 1},
        {"__reserved__": 1},
        {1: "one"},
        {"nested": [[1]]},
        {"deeper": [{"nested": [[1]]}]},
        {"big": 2**63},
        {"number": float("nan")},
        {"moment": datetime(2026, 3, 29, tzinfo=UTC)},
        {"bytes": b""},
    ],
)
async def test_a_document_that_one_store_could_not_keep_is_refused_by_both(
    store, lasting, document
):
    stored = Stored(document, lasting().expire_at)
    await store.put("things", "key", lasting())

    with pytest.raises(ValueError):  # noqa: PT011 the kind is the contract, the words are not
        await store.put("things", "key", stored)
    with pytest.raises(ValueError):  # noqa: PT011
        await store.create("things", "new", stored)
    with pytest.raises(ValueError):  # noqa: PT011
        await store.update("things", "key", lambda _: stored)
    assert lasting() == await store.get("things", "key")


async def test_a_time_without_zone_is_refused(store):
    with pytest.raises(ValueError, match="aware"):
        await store.put("things", "key", Stored({}, datetime(2026, 3, 29)))  # noqa: DTZ001


async def test_create_leaves_a_live_document_alone(store, lasting):
    assert await store.create("things", "key", lasting(n=1))
    assert not await store.create("things", "key", lasting(n=2))

    assert lasting(n=1) == await store.get("things", "key")


async def test_create_works_again_after_take(store, lasting):
    await store.create("things", "key", lasting(n=1))
    await store.take("things", "key")

    assert await store.create("things", "key", lasting(n=2))


async def test_a_second_take_finds_nothing(store, other_store, lasting):
    await store.put("things", "key", lasting(n=1))

    assert lasting(n=1) == await store.take("things", "key")
    assert await other_store.take("things", "key") is None
    assert await other_store.get("things", "key") is None


async def test_update_writes_the_whole_document(store, lasting, clock):
    await store.put("things", "key", lasting(**EVERYTHING))
    changed = Stored({"dotted.name": {"new": 1}}, clock() + timedelta(days=30))

    assert changed == await store.update("things", "key", lambda _: changed)
    assert changed == await store.get("things", "key")


async def test_update_can_decline(store, lasting):
    await store.put("things", "key", lasting(n=1))

    assert await store.update("things", "key", lambda _: None) is None
    assert lasting(n=1) == await store.get("things", "key")


async def test_an_error_in_the_change_reaches_the_caller_and_writes_nothing(store, lasting):
    await store.put("things", "key", lasting(n=1))

    with pytest.raises(ZeroDivisionError):
        await store.update("things", "key", lambda old: old.document["n"] // 0)

    assert lasting(n=1) == await store.get("things", "key")


async def test_an_expired_document_is_absent_to_every_verb(store, lasting, clock, increment):
    await store.put("things", "key", lasting(n=1))
    clock.advance(minutes=10)

    assert await store.get("things", "key") is None
    assert await store.update("things", "key", increment) is None
    assert await store.take("things", "key") is None
    assert not [found async for found in store.scan("things")]


async def test_a_document_lives_until_the_last_moment(store, lasting, clock):
    await store.put("things", "key", lasting(n=1))
    clock.advance(minutes=9, seconds=59.999999)

    assert await store.get("things", "key")


async def test_create_replaces_an_expired_document_entirely(store, lasting, clock):
    await store.put("things", "key", lasting(old=1, both=1))
    clock.advance(minutes=11)

    assert await store.create("things", "key", lasting(both=2, new=2))
    assert lasting(both=2, new=2) == await store.get("things", "key")


async def test_scan_yields_the_live_documents_of_one_collection(store, lasting, clock):
    await store.put("things", "expired", lasting(n=0))
    clock.advance(minutes=11)
    await store.put("others", "key", lasting(n=0))
    live = {f"key-{n}": lasting(n=n) for n in range(250)}
    await gather(*(store.put("things", key, stored) for key, stored in live.items()))

    assert live == {key: stored async for key, stored in store.scan("things")}


def test_one_store_serves_one_event_loop_after_another(open_store, lasting):
    store = open_store()

    async def write():
        await store.put("things", "key", lasting(n=1))

    async def read():
        found = await store.get("things", "key")
        await store.close()
        return found

    anyio.run(write)

    assert lasting(n=1) == anyio.run(read)
