"""What the metrics of sign-ins, credentials and faults count, of lines that functions write."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from rally_mcp.storage.sqlite import SqliteStore
from tests.fixtures.deployment import CALLBACK_URL, MCP_ORIGIN, Clock, Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.machine import add_machine_with_key
from tests.fixtures.mcp_call import call_over_mcp
from tests.fixtures.oauth_client import new_client
from tests.fixtures.rally_wire import TOKEN, answers, wired
from tests.fixtures.signed_in import WITHOUT_CODE
from tests.infra.cloud_log import count, counted, entry, request_entry
from tests.infra.logging_query import parse
from tests.infra.monitoring_files import metrics

Deploy = Callable[..., Deployment]

WRONG_SECRET = answers({"error": "invalid_client"}, 401)


async def from_a_chat(deployment: Deployment) -> None:
    """Work from a chat: sign in with the code, call tools, sign out."""
    chat = deployment.caller(instance=-1)
    await chat.sign_in()
    await chat.call("create_rally_story", title="x")
    await call_over_mcp(chat, "get_rally_user")
    await chat.call("sign_out")


async def by_the_specification(deployment: Deployment) -> None:
    """Work from an MCP client: challenge, consent, code, calls, refresh, revocation."""
    client = new_client(deployment)
    challenge = await client.instance.mcp.post("/mcp", json={})
    assert challenge.status_code == 401, challenge.text
    tokens = await client.sign_in()
    deployment.clock.advance(days=1)
    expired = await client.call(tokens["access_token"], "get_rally_user")
    assert expired.status_code == 401, expired.text
    tokens = (await client.refresh(tokens["refresh_token"])).json()
    answer = await client.call(tokens["access_token"], "get_rally_user")
    assert answer.status_code == 200, answer.text
    await client.revoke(tokens["access_token"])


async def as_a_machine(deployment: Deployment) -> None:
    """Work as a pipeline does."""
    machine = await add_machine_with_key(deployment)
    answer = await machine.plain.call(await machine.access_token(), "get_rally_user")
    assert answer.status_code == 200, answer.text


async def declined(deployment: Deployment) -> None:
    """Press Deny at Rally, from a chat and in an MCP client's sign-in."""
    chat = deployment.caller(instance=-1)
    await chat.visit(await chat.auth_url(), decision="deny")
    refused = await new_client(deployment).authorize(decision="deny")
    assert refused["error"] == "access_denied"


@pytest.mark.parametrize("work", [from_a_chat, by_the_specification, as_a_machine])
async def test_ordinary_work_counts_as_tool_calls_and_as_nothing_else(deployment, work):
    counts = await count(lambda: work(deployment))

    assert counts.keys() == {"tool-calls"}


async def test_whoever_declines_is_no_failure(deployment):
    counts = await count(lambda: declined(deployment))

    assert counts.keys() == {"tool-calls"}


async def test_a_failed_sign_in_counts_once_whoever_began_it(deploy):
    deployment = wired(deploy(**WITHOUT_CODE))
    deployment.wire.disturb("POST", TOKEN, WRONG_SECRET, WRONG_SECRET)
    chat = deployment.caller(instance=-1)
    url = await chat.auth_url()
    client = new_client(deployment)

    with written_log() as log:
        await chat.visit(url)
        refused = await client.authorize()

    found = counted(log.lines)
    assert refused["error"] == "server_error"
    assert found.keys() == {"sign-in-failures"}
    assert [(line["upstream"], line["reason"]) for line in found["sign-in-failures"]] == [
        ("rally", "UpstreamRejected"),
        ("rally", "UpstreamRejected"),
    ]


async def test_what_rally_refuses_by_itself_is_a_failed_sign_in(deployment):
    chat = deployment.caller()
    address = await chat.back_from_rally()
    state = httpx.URL(address).params["state"]
    page = f"{CALLBACK_URL}?state={state}&error=server_error"

    counts = await count(lambda: chat.instance.browser().get(page))

    assert counts == {"sign-in-failures": 1}


async def test_a_person_whom_the_deployment_is_not_for_is_told_apart(deploy):
    chat = deploy(RALLY_SUBSCRIPTIONS="Another Corporation").caller()
    url = await chat.auth_url()

    with written_log() as log:
        await chat.visit(url)

    [line] = counted(log.lines)["sign-in-failures"]
    assert line["reason"] == "PermissionDenied"


@pytest.mark.parametrize("reuse", ["refresh token", "authorization code", "made-up token"])
async def test_reuse_counts_once(deployment, reuse):
    client = new_client(deployment)
    code = (await client.authorize())["code"]
    tokens = (await client.redeem(code)).json()

    async def again() -> httpx.Response:
        if reuse == "authorization code":
            return await client.redeem(code)
        made_up = f"{tokens['refresh_token'].partition('.')[0]}.{'x' * 43}"
        return await client.refresh(
            made_up if reuse == "made-up token" else tokens["refresh_token"]
        )

    if reuse == "refresh token":
        await client.refresh(tokens["refresh_token"])
        deployment.clock.advance(minutes=2)

    assert await count(again, again) == {"refresh-reuse": 1}


async def test_a_retry_within_the_minute_is_no_reuse(deployment):
    client = new_client(deployment)
    tokens = await client.sign_in()

    async def refresh() -> httpx.Response:
        return await client.refresh(tokens["refresh_token"])

    assert await count(refresh, refresh) == {}


async def test_a_credential_or_a_login_that_is_not_believed_counts(deployment):
    weak = deployment.caller("1234")
    machine = await add_machine_with_key(deployment)

    async def without() -> httpx.Response:
        return await deployment.instances[0].mcp.post("/tools/get_rally_user", json={})

    async def in_the_url() -> httpx.Response:
        return await deployment.instances[0].mcp.post(f"{MCP_ORIGIN}/mcp?access_token=x", json={})

    counts = await count(
        lambda: weak.call("get_rally_user"),
        without,
        in_the_url,
        machine.by("client_secret_basic", "guessed").log_in,
    )

    assert counts == {"refused-credentials": 4}


async def test_a_wrong_code_counts_once_and_the_right_one_does_not(deployment):
    chat = deployment.caller()
    code = (await chat.visit(await chat.auth_url())).code
    wrong = ("0" if code[0] != "0" else "1") + code[1:]

    counts = await count(
        lambda: chat.call("complete_sign_in", code=wrong),
        lambda: chat.call("complete_sign_in", code=code),
    )

    assert counts == {"wrong-codes": 1, "tool-calls": 2}


async def test_a_fault_counts_as_unexpected(deploy: Deploy, clock: Clock, tmp_path: Path):
    path = tmp_path / "damaged.db"
    path.write_bytes(b"no database" * 1000)
    chat = deploy(lambda: SqliteStore(path, clock=clock)).caller()

    counts = await count(lambda: chat.call("get_rally_user"))

    assert counts == {"unexpected-failures": 1, "tool-calls": 1}


async def test_a_secret_that_cannot_be_read_counts_as_unexpected(deployment):
    chat = deployment.caller()
    url = await chat.auth_url()
    deployment.client_secret.clear()

    counts = await count(lambda: chat.visit(url))

    assert counts == {"unexpected-failures": 1, "sign-in-failures": 1}


def test_what_cloud_run_logs_of_requests_counts_as_nothing():
    failed = request_entry("https://mcp-endpoint-1.us-central1.run.app/mcp", severity="ERROR")

    assert not [name for name, metric in metrics().items() if parse(metric.filter)(failed)]


@pytest.mark.parametrize("service", ["mcp-endpoint", "auth-redirect", "oauth-callback"])
async def test_a_deployment_counts_its_own_services_alone(deployment, service):
    with written_log() as log:
        await deployment.caller().call("get_rally_user")
    [line] = log.audit("tool.called")
    counts = {
        prefix: parse(metrics(prefix)["tool-calls"].filter) for prefix in ("", "dev-", "test-")
    }

    found = [prefix for prefix, matches in counts.items() if matches(entry(line, f"dev-{service}"))]

    assert found == ["dev-"]
