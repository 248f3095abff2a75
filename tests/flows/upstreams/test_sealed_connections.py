"""Every upstream's tokens are sealed to their owner, and come by nowhere that they need not."""

import hashlib
from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import parse_qsl

import pytest

from rally_mcp.crypto import NotOpened, PrivateKey, Sealed
from tests.fixtures.connections import ALL, PROBES
from tests.fixtures.deployment import CLIENT_ID, Caller
from tests.fixtures.log_lines import written_log
from tests.fixtures.rally_wire import Wire, WiredDeployment, wired
from tests.fixtures.sealed_fields import keys_from, sealed_fields, strings_in
from tests.fixtures.signed_in import WITHOUT_CODE, sign_in
from tests.fixtures.stored import StoredRow, stored_rows
from tests.fixtures.upstreams import SECRET, switched

OWN = {
    "rally.active.access_token",
    "rally.active.refresh_token",
    "github.active.access_token",
    "github.active.refresh_token",
    "entra_id.active.access_token",
    "entra_id.active.refresh_token",
}
SHARED = {"yata.active.access_token"}
STRETCHED_SECRET = hashlib.scrypt(
    SECRET.encode(), salt=f"yata {CLIENT_ID}".encode(), n=2**14, r=8, p=1, dklen=32
).hex()
"""What the shared account's key is made of; a guess at the secret costs as much each time."""

CREDENTIALS = ("code", "code_verifier", "client_secret", "refresh_token")

pytestmark = switched("github", expiring_tokens=True)


@pytest.fixture
def deployment(deploy_with) -> WiredDeployment:
    return wired(deploy_with(ALL, **WITHOUT_CODE))


async def signed_in_to_all(deployment: WiredDeployment) -> Caller:
    """Sign a chat in to everything, and use the shared account too."""
    chat = deployment.caller(instance=-1)
    for tool in PROBES.values():
        await sign_in(chat, tool=tool)
    await chat.call("list_todos")
    return chat


def opened(rows: list[StoredRow], strings: Iterable[str]) -> set[str]:
    """Return the places of what opens with any key that can be made of the strings."""
    keys = [key for text in set(strings) for key in keys_from(text)]
    return {
        place.field
        for _, sealed, place in sealed_fields(rows)
        if any(_opens(key, sealed, place) for key in keys)
    }


def _opens(key: PrivateKey, sealed: Sealed, place: object) -> bool:
    try:
        key.open(sealed, place)
    except NotOpened:
        return False
    return True


def credentials_sent(wire: Wire) -> set[str]:
    """Return every secret that upstreams were sent."""
    found = set()
    for request in wire.requests:
        headers = [request.headers.get(name, "") for name in ("authorization", "zsessionid")]
        form = dict(parse_qsl(request.content.decode("utf-8", "replace")))
        found |= {value.rpartition(" ")[2] for value in headers}
        found |= {form[name] for name in CREDENTIALS if name in form}
    return found - {""}


async def test_records_logs_and_settings_together_open_nothing(deployment):
    with written_log() as log:
        await signed_in_to_all(deployment)
    rows = await stored_rows(deployment)
    known = [[row.collection, row.key, row.document] for row in rows]

    strings = set(strings_in([known, log.lines, deployment.settings]))

    sealed = {place.field for _, _, place in sealed_fields(rows)}
    assert sealed > OWN | SHARED
    assert opened(rows, strings) == set()


async def test_a_session_id_opens_its_own_tokens_and_not_the_shared_one(deployment):
    chat = await signed_in_to_all(deployment)
    other = await signed_in_to_all(deployment)
    rows = await stored_rows(deployment)

    assert opened(rows, {chat.session_id}) == OWN
    assert opened(rows, {other.session_id}) == OWN
    assert opened(rows, {SECRET}) == set()
    assert opened(rows, {STRETCHED_SECRET}) == SHARED


async def test_no_credential_stands_in_the_store_or_the_log_or_an_answer(deployment, clock, github):
    with written_log() as log:
        chat = await signed_in_to_all(deployment)
        clock.now += timedelta(hours=8)
        answers = [await chat.call(tool) for tool in (*PROBES.values(), "list_todos")]
        github.revoke_user("ann")
        answers += [await chat.call("get_github_user"), await chat.call("sign_out")]
        rows = str(await stored_rows(deployment))

    credentials = credentials_sent(deployment.wire)
    seen = rows + log.text + "".join(answer.text for answer in answers)
    assert [answer.status_code for answer in answers] == [200] * 4 + [401, 200]
    assert len(credentials) > 15
    assert [credential for credential in credentials if credential in seen] == []
