"""What is sealed in a grant's record opens there alone: moved by whoever can write, it is lost."""

from collections.abc import Awaitable, Callable
from copy import deepcopy
from typing import Any

import httpx
import pytest

from rally_mcp.sign_in.records import PRINCIPALS
from rally_mcp.storage.port import Stored
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import AUTH_ORIGIN, Deployment
from tests.fixtures.oauth_client import OAuthClient, new_client
from tests.fixtures.stored import stored_rows

MemberPath = tuple[str | int, ...]
"""The way to a member of a document."""

ACCESS: MemberPath = ("grant", "access", 1, "key")
REFRESH: MemberPath = ("grant", "refresh", "key")
ROTATED: MemberPath = ("grant", "rotated", "answer")
CODE: MemberPath = ("grant", "code", "key")
CONSENT: MemberPath = ("grant", "consent", "key")
REQUEST: MemberPath = ("grant", "consent", "request")
UPSTREAMS: MemberPath = ("upstreams",)
PUBLIC_KEY: MemberPath = ("public_key",)
TOKENS: MemberPath = ("upstreams", "rally", "active", "tokens")
UPSTREAM_ACCESS: MemberPath = (*TOKENS, "access_token")
UPSTREAM_REFRESH: MemberPath = (*TOKENS, "refresh_token")

Answers = dict[str, Any]
Ask = Callable[[OAuthClient, Answers], Awaitable[httpx.Response]]


async def call(client: OAuthClient, tokens: Answers) -> httpx.Response:
    return await client.call(tokens["access_token"], "get_rally_user")


async def refresh(client: OAuthClient, tokens: Answers) -> httpx.Response:
    return await client.refresh(tokens["refresh_token"])


async def refresh_again(client: OAuthClient, tokens: Answers) -> httpx.Response:
    return await client.refresh(tokens["refresh_token_before"])


async def full_grant(deployment: Deployment, user: str) -> tuple[OAuthClient, Answers]:
    """Sign in and refresh, so that the record holds all that outlives a sign-in."""
    client = new_client(deployment)
    first = await client.sign_in(user)
    renewed = (await client.refresh(first["refresh_token"])).json()
    return client, {**renewed, "refresh_token_before": first["refresh_token"]}


async def move(
    deployment: Deployment, source: str, target: str, *ways: tuple[MemberPath, MemberPath]
) -> None:
    """Copy members of one grant's record over members of another's, or of the same.

    Grants are named by any of their secrets.
    """
    rows = {row.key: row for row in await stored_rows(deployment, PRINCIPALS)}
    [found] = [row for key, row in rows.items() if key in source]
    [changed] = [row for key, row in rows.items() if key in target]
    document = deepcopy(changed.document)
    for path_from, path_to in ways:
        *folders, name = path_to
        member(document, folders)[name] = deepcopy(member(found.document, path_from))
    store = deployment.instances[0].store
    await store.put(PRINCIPALS, changed.key, Stored(document, changed.expire_at))


def member(document: Any, path: Any) -> Any:
    """Return what stands at a path."""
    for name in path:
        document = document[name]
    return document


@requirement("C14")
@pytest.mark.parametrize(
    ("moved", "ask", "status"),
    [
        ([UPSTREAMS], call, 409),
        ([UPSTREAMS, PUBLIC_KEY], call, 409),
        ([UPSTREAM_ACCESS], call, 409),
        ([ACCESS], call, 401),
        ([ACCESS, UPSTREAMS, PUBLIC_KEY], call, 401),
        ([REFRESH], refresh, 400),
        ([ROTATED], refresh_again, 400),
    ],
    ids=[
        *("upstream tokens", "tokens and public key", "access token", "wrapped key"),
        *("wrapped key and tokens", "key under the refresh token", "answer of a refresh"),
    ],
)
async def test_what_is_moved_from_another_grant_opens_nothing_there(deployment, moved, ask, status):
    _, of_ann = await full_grant(deployment, "ann")
    thief, of_bob = await full_grant(deployment, "bob")

    ways = [(path, path) for path in moved]
    await move(deployment, of_ann["access_token"], of_bob["access_token"], *ways)
    answer = await ask(thief, of_bob)

    assert answer.status_code == status
    assert "Ann" not in answer.text


@pytest.mark.parametrize(
    ("source", "target", "ask", "status"),
    [
        (UPSTREAM_REFRESH, UPSTREAM_ACCESS, call, 409),
        (UPSTREAM_ACCESS, UPSTREAM_REFRESH, call, 409),
        (REFRESH, ACCESS, call, 401),
        (ACCESS, REFRESH, refresh, 400),
        (REFRESH, ROTATED, refresh_again, 400),
    ],
)
async def test_what_is_moved_within_a_record_opens_nothing_there(
    deployment, source, target, ask, status
):
    client, tokens = await full_grant(deployment, "ann")

    own = tokens["access_token"]
    await move(deployment, own, own, (source, target))
    answer = await ask(client, tokens)

    assert answer.status_code == status


async def test_a_key_that_was_wrapped_under_another_grants_code_opens_nothing(deployment):
    client, thief = new_client(deployment), new_client(deployment)
    code = (await client.authorize("ann"))["code"]
    stolen_for = (await thief.authorize("bob"))["code"]

    ways = [(path, path) for path in (CODE, UPSTREAMS, PUBLIC_KEY)]
    await move(deployment, code, stolen_for, *ways)

    assert (await thief.redeem(stolen_for)).status_code == 400


@pytest.mark.parametrize("moved", [CONSENT, REQUEST], ids=["key", "request"])
async def test_a_consent_that_was_given_in_another_browser_opens_nothing(deployment, moved):
    client, thief = new_client(deployment), new_client(deployment)
    back = {}
    for each, user in ((client, "ann"), (thief, "bob")):
        await each.register()
        browser = each.instance.browser()
        address = await each.to_rally(browser)
        complete = f"{AUTH_ORIGIN}/authorize/complete"
        answer = await each.through_rally(browser, address, user, stop_before=complete)
        back[user] = browser, answer.headers["location"]

    browser, address = back["bob"]
    await move(deployment, back["ann"][1], address, (moved, moved))
    answer = await browser.get(address)

    assert answer.status_code == 403
    assert not answer.has_redirect_location
