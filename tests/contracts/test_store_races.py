"""What every store promises when several instances use one key at the same time."""

from asyncio import gather


async def test_one_of_twenty_racing_takes_wins(store, other_store, lasting):
    await store.put("things", "key", lasting(n=1))

    taken = await gather(*(s.take("things", "key") for s in (store, other_store) * 10))

    assert [lasting(n=1)] == [stored for stored in taken if stored]


async def test_one_of_twenty_racing_creates_wins(store, other_store, lasting):
    documents = [lasting(n=n) for n in range(20)]
    instances = (store, other_store) * 10

    won = await gather(
        *(s.create("things", "key", d) for s, d in zip(instances, documents, strict=True))
    )

    winners = [document for document, win in zip(documents, won, strict=True) if win]
    assert winners == [await store.get("things", "key")]


async def test_one_of_twenty_racing_creates_replaces_an_expired_document(
    store, other_store, lasting, clock
):
    await store.put("things", "key", lasting(old=1))
    clock.advance(minutes=11)
    documents = [lasting(n=n) for n in range(20)]
    instances = (store, other_store) * 10

    won = await gather(
        *(s.create("things", "key", d) for s, d in zip(instances, documents, strict=True))
    )

    winners = [document for document, win in zip(documents, won, strict=True) if win]
    assert winners == [await store.get("things", "key")]


async def test_twenty_racing_updates_lose_nothing(store, other_store, lasting, increment):
    await store.put("things", "key", lasting(n=0))

    await gather(*(s.update("things", "key", increment) for s in (store, other_store) * 10))

    assert lasting(n=20) == await store.get("things", "key")


async def test_an_update_does_not_bring_a_taken_document_back(store, lasting, elsewhere):
    await store.put("things", "key", lasting(n=1))

    def change(old):
        elsewhere(lambda rival: rival.take("things", "key"))
        return old

    assert await store.update("things", "key", change) is None
    assert await store.get("things", "key") is None


async def test_an_update_sees_what_was_written_between_its_read_and_its_write(
    store, lasting, elsewhere, increment
):
    await store.put("things", "key", lasting(n=1))

    def change(old):
        if old.document["n"] == 1:
            elsewhere(lambda rival: rival.put("things", "key", lasting(n=10)))
        return increment(old)

    assert lasting(n=11) == await store.update("things", "key", change)
    assert lasting(n=11) == await store.get("things", "key")


async def test_an_update_does_not_write_over_a_document_made_anew(store, lasting, elsewhere):
    await store.put("things", "key", lasting(owner="ann"))

    async def replace(rival):
        await rival.take("things", "key")
        await rival.create("things", "key", lasting(owner="bob"))

    def change(old):
        if old.document["owner"] == "bob":
            return None
        elsewhere(replace)
        return old

    assert await store.update("things", "key", change) is None
    assert lasting(owner="bob") == await store.get("things", "key")
