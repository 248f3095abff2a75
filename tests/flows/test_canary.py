"""Secrets are looked for wherever they have no business, after everything has happened to them."""

import asyncio
import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from devtools.rally_simulator import Fault
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import Caller, Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.mcp_call import call_over_mcp
from tests.fixtures.observed_deployment import ObservedDeployment, observed
from tests.fixtures.rally_wire import TOKEN, WSAPI
from tests.fixtures.secret_search import files_in, kinds_in

KINDS = {
    "access_token",
    "client_secret",
    "code",
    "code_verifier",
    "refresh_token",
    "session_id",
    "state",
}


def may_show(answer: httpx.Response) -> set[str]:
    """Return what an answer is there to show."""
    if 'id="confirmation-code"' in answer.text:
        return {"confirmation code"}
    is_link = "auth_url" in answer.text or answer.status_code == 302
    return {"state"} if is_link else set()


async def everything_happens(deployment: ObservedDeployment) -> list[Caller]:
    """Sign in, work, fail, refresh and sign out, in each way there is; return the chats."""
    chats = [deployment.caller(instance=-1) for _ in range(4)]
    await works_and_refreshes(chats[0])
    await guesses_and_declines(chats[1])
    await fails_at_the_callback(chats[2])
    await signs_out_midway(chats[3])
    return chats


async def works_and_refreshes(chat: Caller) -> None:
    page = await chat.visit(await chat.auth_url())
    if page.code:
        await chat.call("complete_sign_in", code=page.code)
    for _ in range(2):
        await chat.call("create_rally_story", title="x")
        await call_over_mcp(chat, "get_rally_user")
        chat.deployment.clock.advance(hours=23, minutes=59, seconds=30)
    chat.deployment.rally.faults.add(Fault(path_prefix=WSAPI, status=500, count=2))
    await chat.call("get_rally_user")
    await call_over_mcp(chat, "create_rally_story", title="x")
    chat.deployment.rally.revoke_user("ann")
    await chat.call("get_rally_user")


async def guesses_and_declines(chat: Caller) -> None:
    await chat.visit(await chat.auth_url(), decision="deny")
    page = await chat.visit(await chat.auth_url(), "bob")
    await chat.visit(str(page.response.url))
    for _ in range(6):
        await chat.call("complete_sign_in", code="0000-0000")
    await call_over_mcp(chat, "complete_sign_in", code=page.code or "K7QF-2M9X")
    await chat.instance.mcp.post(f"/tools/get_rally_user?Session-ID={chat.session_id}", json={})


async def fails_at_the_callback(chat: Caller) -> None:
    faults = chat.deployment.rally.faults
    for path in (TOKEN, WSAPI):
        faults.add(Fault(path_prefix=path, status=503, after_effect=True))
        await chat.visit(await chat.auth_url())
    faults.add(Fault(path_prefix=WSAPI, body="truncated"))
    address = await chat.back_from_rally()
    json_only = {"Accept": "application/json"}
    for _ in range(2):
        await chat.instance.browser().get(address, headers=json_only)
    await chat.instance.browser().get(f"{address}x", headers=json_only)
    await chat.instance.browser().get(f"{await chat.auth_url()}&code_challenge_method=plain")


async def signs_out_midway(chat: Caller) -> None:
    released = asyncio.Event()
    held = chat.deployment.rally.faults.add(Fault(path_prefix=TOKEN, hold=released))
    address = await chat.back_from_rally()
    finishing = asyncio.create_task(chat.visit(address))
    async with asyncio.timeout(5):
        await held.reached.wait()
    await chat.call("sign_out")
    released.set()
    await finishing


def hidden(deployment: ObservedDeployment, chats: Iterable[Caller]) -> dict[str, set[str]]:
    """Return every secret of the run by its kind."""
    return {**deployment.secrets(), "session_id": {chat.session_id for chat in chats}}


@requirement("A16")
@pytest.mark.parametrize("confirmation", ["code", "none"])
async def test_no_secret_is_stored_logged_or_shown_where_it_need_not_be(
    deploy, tmp_path, confirmation
):
    deployment = observed(deploy(SIGN_IN_CONFIRMATION=confirmation))

    with written_log() as log:
        chats = await everything_happens(deployment)
    secrets = hidden(deployment, chats)
    database = files_in(tmp_path)

    assert set(secrets) == KINDS | ({"confirmation code"} if confirmation == "code" else set())
    assert deployment.rally.stats.refreshes >= 1
    assert kinds_in(database, secrets) == set()
    assert kinds_in(log.text, secrets) == set()
    for answer in deployment.answers:
        shown = f"{answer.headers} {answer.text}"
        assert kinds_in(shown, secrets) <= may_show(answer), answer.url.path


async def test_the_search_sees_the_real_database_and_the_real_log(
    deployment: Deployment, tmp_path: Path
) -> None:
    with written_log() as log:
        chat = deployment.caller()
        await chat.sign_in()

    key = hashlib.sha256(chat.session_id.encode()).hexdigest()
    assert key in files_in(tmp_path)
    assert key[:12] in log.text


@pytest.mark.parametrize(
    "write",
    [
        str,
        str.upper,
        lambda secret: secret.replace("-", ""),
        lambda secret: secret.encode().hex(),
        lambda secret: quote(secret, safe=""),
        lambda secret: base64.b64encode(secret.encode()).decode(),
        lambda secret: base64.b64encode(f'{{"a": "{secret}"}}'.encode()).decode(),
        lambda secret: base64.urlsafe_b64encode(f"id={secret}&b=2".encode()).decode(),
    ],
)
def test_the_search_finds_a_secret_however_it_is_written(write):
    secret = "0e5c2f5b-7d3c-4a0f-9b1e-6f8f3a2d7c41"

    found = kinds_in(f"before {write(secret)} after", {"session_id": {secret}})

    assert found == {"session_id"}
