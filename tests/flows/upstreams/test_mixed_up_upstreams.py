"""One upstream's answer is never taken for another's, nor is one's time for another's."""

from urllib.parse import urlencode

import pytest

from rally_mcp.sign_in.records import OAUTH_STATES
from rally_mcp.storage.port import Stored
from tests.fixtures.deployment import RALLY_ORIGIN, Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.signed_in import WITHOUT_CODE, sign_in
from tests.fixtures.stored import stored_rows
from tests.fixtures.upstreams import Deploy


@pytest.fixture
def deployment(deploy_with: Deploy) -> Deployment:
    return deploy_with("rally,github")


async def returned(deployment: Deployment, address: str, **parameters: str):
    """Come back from an upstream, with further parameters."""
    browser = deployment.instances[0].browser()
    return await browser.get(f"{address}&{urlencode(parameters)}")


async def move_to_github(deployment: Deployment) -> None:
    """Alter the store as somebody would who can write to it and has no secret."""
    store = deployment.instances[0].store
    for row in await stored_rows(deployment):
        document = row.document
        if row.collection == OAUTH_STATES:
            document["upstream"] = "github"
        else:
            document["upstreams"]["github"] = document["upstreams"].pop("rally")
        await store.put(row.collection, row.key, Stored(document, row.expire_at))


@pytest.mark.parametrize("error", ["", "access_denied"])
async def test_an_answer_that_another_issuer_signs_is_refused(deployment: Deployment, error):
    chat = deployment.caller()
    address = await chat.back_from_rally()
    if error:
        address = f"{address.replace('code=', 'unused=')}&error={error}"

    refused = await returned(deployment, address, iss="https://evil.example.com")
    page = await returned(deployment, address, iss=f"{RALLY_ORIGIN}/login")

    assert refused.status_code == 400
    assert page.status_code == 200


async def test_a_state_that_was_moved_to_another_upstream_in_the_store_is_refused(
    deployment: Deployment, github
):
    chat = deployment.caller()
    address = await chat.back_from_rally()
    await move_to_github(deployment)

    answer = await deployment.instances[0].browser().get(address)

    assert answer.status_code == 400
    assert github.stats.code_exchanges == 0


async def test_a_further_sign_in_lengthens_no_grants_life(deploy_with: Deploy, clock):
    deployment = deploy_with("rally,github", **WITHOUT_CODE)
    chat = deployment.caller()
    await sign_in(chat)
    for _ in range(5):
        clock.advance(days=5)
        await chat.call("get_rally_user")
    await sign_in(chat, tool="get_github_user")
    for _ in range(2):
        clock.advance(days=2)
        last = await chat.call("get_github_user")
    clock.advance(days=1, hours=1)

    assert last.status_code == 200
    assert (await chat.call("get_github_user")).status_code == 401
    assert (await chat.call("get_rally_user")).status_code == 401


async def test_one_upstreams_code_is_no_wrong_one_of_anothers(deployment: Deployment):
    chat = deployment.caller()
    pages = [
        await chat.visit(await chat.auth_url(tool))
        for tool in ("get_rally_user", "get_github_user")
    ]

    with written_log() as log:
        answers = [await chat.call("complete_sign_in", code=page.code) for page in reversed(pages)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert "sign_in.code_refused" not in log.text
