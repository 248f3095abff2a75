"""Secrets of grants are looked for where they have no business, and tried on what is sealed."""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator

import pytest

from rally_mcp.authorization_server.issuing import sealed_location
from rally_mcp.crypto import NotOpened, PrivateKey
from rally_mcp.sign_in.records import PRINCIPALS, PrincipalRecord
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import AUTH_ORIGIN, Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.oauth_client import OAuthClient, new_client
from tests.fixtures.observed_deployment import ObservedDeployment, observed
from tests.fixtures.sealed_fields import Field, keys_from, sealed_fields, strings_in
from tests.fixtures.secret_search import files_in, kinds_in
from tests.fixtures.stored import StoredRow, stored_rows
from tests.fixtures.token_answers import INTERFACES, call_over

WRAPPING = "sealed under a secret"
"""What the product derives keys for that wrap a grant's own."""

IN_ANSWERS = {
    "cookie": re.compile(r"rmcp_[0-9a-f]{32}=([\w-]{20,})"),
    "ticket": re.compile(r"[?&]ticket=([0-9a-f]{32}\.[\w-]+)"),
    "our code": re.compile(r"(rmcp_ac_[0-9a-f]{32}\.[\w-]{43})"),
    "our access token": re.compile(r"(rmcp_at_[0-9a-f]{32}\.[\w-]{43})"),
    "our refresh token": re.compile(r"(rmcp_rt_[0-9a-f]{32}\.[\w-]{43})"),
}

KINDS = {
    *IN_ANSWERS,
    *("client's state", "client's code_verifier"),
    *("state", "code", "code_verifier", "access_token", "refresh_token", "client_secret"),
}

Tokens = dict[str, str]


def secrets_of(deployment: ObservedDeployment, clients: Iterable[OAuthClient]) -> dict:
    """Return every secret that came by, by its kind, with and without the grant's id before it."""
    found: dict[str, set[str]] = deployment.secrets()
    for answer in deployment.answers:
        shown = f"{answer.headers.get_list('set-cookie')} {answer.headers} {answer.text}"
        for kind, form in IN_ANSWERS.items():
            for secret in form.findall(shown):
                found.setdefault(kind, set()).update({secret, secret.rpartition(".")[2]})
    found["client's state"] = {client.state for client in clients}
    found["client's code_verifier"] = {client.code_verifier for client in clients}
    return found


async def everything_happens(deployment: ObservedDeployment) -> list[OAuthClient]:
    """Sign in, work, refresh, fail and end, in each way there is; return the clients."""
    clients = [new_client(deployment) for _ in range(4)]
    await works_and_is_revoked(clients[0])
    await is_replayed(clients[1])
    await is_finished_elsewhere(clients[2])
    await clients[3].authorize(decision="deny")
    return clients


async def works_and_is_revoked(client: OAuthClient) -> None:
    tokens = await client.sign_in()
    for interface in INTERFACES:
        await call_over(interface, client, tokens["access_token"])
    client.deployment.clock.advance(days=1)
    await client.call(tokens["access_token"], "get_rally_user")
    renewed = (await client.refresh(tokens["refresh_token"])).json()
    await client.refresh(tokens["refresh_token"])
    await client.call(renewed["access_token"], "create_rally_story", title="x")
    await client.instance.mcp.post(f"/mcp?access_token={renewed['access_token']}")
    await client.revoke(renewed["refresh_token"])


async def is_replayed(client: OAuthClient) -> None:
    code = (await client.authorize("bob"))["code"]
    await client.redeem(code, code_verifier="x" * 43)
    tokens = (await client.redeem(code)).json()
    await client.token(grant_type="x", code=code, token=tokens["refresh_token"])
    await client.redeem(code)
    await client.refresh(tokens["refresh_token"])


async def is_finished_elsewhere(client: OAuthClient) -> None:
    await client.register()
    browser = client.instance.browser()
    address = await client.to_rally(browser)
    back = await client.through_rally(browser, address, stop_before=f"{AUTH_ORIGIN}/authorize/c")
    await client.instance.browser().get(back.headers["location"])


@pytest.fixture
def deployment(deploy: Callable[..., Deployment]) -> ObservedDeployment:
    return observed(deploy())


@requirement("B31", "C14")
async def test_no_secret_of_a_grant_is_stored_or_logged(deployment, tmp_path):
    with written_log() as log:
        clients = await everything_happens(deployment)
    secrets = secrets_of(deployment, clients)
    grant_ids = {"grant's id": {row.key for row in await stored_rows(deployment, PRINCIPALS)}}

    assert set(secrets) == KINDS
    assert len(grant_ids["grant's id"]) == 4
    assert kinds_in(files_in(tmp_path), secrets) == set()
    assert kinds_in(log.text, secrets | grant_ids) == set()


def grant_fields(rows: Iterable[StoredRow]) -> Iterator[Field]:
    """Yield every sealed field with its name and its place, those of grants included."""
    yield from sealed_fields(rows)
    for row in rows:
        document = {**row.document, "expire_at": row.expire_at}
        grant = PrincipalRecord.model_validate(document).grant if "grant" in document else None
        if grant is None:
            continue
        found = [
            ("consent", grant.consent and grant.consent.key),
            ("request", grant.consent and grant.consent.request),
            ("code", grant.code and grant.code.key),
            *(("access", each.key) for each in grant.access),
            ("refresh", grant.refresh and grant.refresh.key),
            ("rotated", grant.rotated and grant.rotated.answer),
        ]
        for part, sealed in found:
            if sealed:
                yield f"grant.{part}", sealed, sealed_location(row.key, part)


def opened(rows: list[StoredRow], strings: Iterable[str]) -> set[str]:
    """Return which fields open with any key that the strings, or what they open, could stand for.

    Strings that are too short for 128 bits are no keys.
    """
    new = list(strings)
    left, found = list(grant_fields(rows)), set()
    while new:
        tried = [key for text in {each for each in new if len(each) > 20} for key in keys_of(text)]
        texts = [(field, opened_by(tried, field)) for field in left]
        found |= {name for (name, _, _), text in texts if text}
        left = [field for field, text in texts if not text]
        new = [text for _, text in texts if text]
    return found


def keys_of(text: str) -> list[PrivateKey]:
    """Return every key that a string could stand for."""
    return [*keys_from(text), PrivateKey.derive(text, WRAPPING)]


def opened_by(keys: list[PrivateKey], field: Field) -> str:
    """Return what a field holds for the first key that opens it, or nothing."""
    _, sealed, place = field
    for key in keys:
        with contextlib.suppress(NotOpened):
            return key.open(sealed, place)
    return ""


async def grants_in_every_state(deployment: ObservedDeployment) -> Tokens:
    """Make grants that hold every part that one can hold; return the secret of each part."""
    await is_parked(new_client(deployment))
    pending = new_client(deployment)
    await pending.register()
    await pending.to_rally(pending.instance.browser())
    code = (await new_client(deployment).authorize("bob"))["code"]
    client = new_client(deployment)
    first = await client.sign_in()
    renewed = (await client.refresh(first["refresh_token"])).json()
    return {
        "code": code,
        "access": renewed["access_token"],
        "refresh": renewed["refresh_token"],
        "rotated": first["refresh_token"],
    }


async def is_parked(client: OAuthClient) -> None:
    """Sign in and stop before the browser is back at the consent."""
    await client.register()
    browser = client.instance.browser()
    address = await client.to_rally(browser)
    await client.through_rally(browser, address, "bob", stop_before=f"{AUTH_ORIGIN}/authorize/c")


ACTIVE = {"active.access_token", "active.refresh_token"}

EVERY_FIELD = ACTIVE | {
    *("pending.state", "code_verifier", "parked.access_token", "parked.refresh_token"),
    *("grant.consent", "grant.request", "grant.code"),
    *("grant.access", "grant.refresh", "grant.rotated"),
}


@requirement("B31", "C14")
async def test_the_store_the_log_and_the_settings_together_open_nothing_of_a_grant(deployment):
    with written_log() as log:
        await grants_in_every_state(deployment)
    rows = await stored_rows(deployment)
    known = [[row.key, row.document] for row in rows]

    strings = strings_in([known, log.lines, deployment.settings, deployment.client_secret])

    assert {name for name, _, _ in grant_fields(rows)} == EVERY_FIELD
    assert opened(rows, strings) == set()


@pytest.mark.parametrize(
    ("part", "opens"),
    [("code", ACTIVE), ("access", ACTIVE), ("refresh", ACTIVE), ("rotated", set())],
)
async def test_a_secret_opens_its_part_of_its_own_grant_and_nothing_of_another(
    deployment, part, opens
):
    secret = (await grants_in_every_state(deployment))[part]
    rows = await stored_rows(deployment)
    others = [row for row in rows if row.key not in secret]

    assert opened(rows, {secret}) == {f"grant.{part}"} | opens
    assert opened(others, {secret}) == set()
