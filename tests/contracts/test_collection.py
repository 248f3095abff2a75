"""Records of a collection, on both stores."""

import logging
from datetime import datetime, timedelta

import pytest
from pydantic import AwareDatetime

from rally_mcp.storage.collection import Collection, Record
from rally_mcp.storage.port import Stored


class Visit(Record):
    visitor: str
    seen_at: AwareDatetime
    rooms: frozenset[str] = frozenset()
    count: int = 0


@pytest.fixture
def visits(store) -> Collection[Visit]:
    return Collection(store, "visits", Visit)


@pytest.fixture
def visit(clock) -> Visit:
    return Visit(
        visitor="Ann",
        seen_at=clock() - timedelta(hours=1),
        rooms=frozenset({"hall"}),
        expire_at=clock() + timedelta(minutes=10),
    )


@pytest.fixture
async def unreadable(store, visit):
    """A document of an older format, under the key "key"."""
    older = Stored({"visitor_name": "top secret"}, visit.expire_at)
    await store.put("visits", "key", older)
    return older


async def test_a_record_comes_back_equal(visits, visit):
    await visits.put("key", visit)

    assert visit == await visits.get("key")
    assert [("key", visit)] == [found async for found in visits.scan()]


async def test_the_document_is_json_and_holds_expire_at_once(visits, visit, store):
    await visits.put("key", visit)

    stored = await store.get("visits", "key")
    assert visit.expire_at == stored.expire_at
    assert {"visitor", "seen_at", "rooms", "count"} == set(stored.document)
    assert visit.seen_at == datetime.fromisoformat(stored.document["seen_at"])


async def test_a_record_expires(visits, visit, clock):
    await visits.put("key", visit)
    clock.advance(minutes=10)

    assert await visits.get("key") is None


async def test_create_has_one_winner(visits, visit):
    assert await visits.create("key", visit)
    assert not await visits.create("key", visit.model_copy(update={"visitor": "Bob"}))

    assert visit == await visits.get("key")


async def test_a_second_take_finds_nothing(visits, visit):
    await visits.put("key", visit)

    assert visit == await visits.take("key")
    assert await visits.take("key") is None


async def test_update_changes_the_record_and_its_life(visits, visit):
    await visits.put("key", visit)
    longer = visit.model_copy(update={"count": 1, "expire_at": visit.expire_at + timedelta(days=1)})

    assert longer == await visits.update("key", lambda _: longer)
    assert longer == await visits.get("key")


async def test_update_of_an_absent_record_does_nothing(visits, visit):
    assert await visits.update("key", lambda _: visit) is None
    assert await visits.get("key") is None


async def test_update_can_decline(visits, visit):
    await visits.put("key", visit)

    assert await visits.update("key", lambda _: None) is None
    assert visit == await visits.get("key")


async def test_an_unreadable_record_is_absent_to_every_verb(visits, visit, unreadable):
    assert await visits.get("key") is None
    assert await visits.update("key", lambda _: visit) is None
    assert not [found async for found in visits.scan()]
    assert await visits.take("key") is None


async def test_create_replaces_an_unreadable_record(visits, visit, unreadable):
    assert await visits.create("key", visit)

    assert visit == await visits.get("key")


async def test_an_unreadable_record_is_logged_without_its_contents(visits, unreadable, caplog):
    with caplog.at_level(logging.WARNING):
        await visits.get("key")

    assert "visits" in caplog.text
    assert "seen_at" in caplog.text
    assert "secret" not in caplog.text
