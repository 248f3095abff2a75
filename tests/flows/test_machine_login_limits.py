"""Ten failed logins of a client from one address in five minutes, and what follows for whom."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

from rally_mcp.authorization_server.login_attempts import ATTEMPTS
from rally_mcp.errors import UpstreamUnavailable
from rally_mcp.storage.port import Stored
from rally_mcp.storage.sqlite import SqliteStore
from rally_mcp.web.request_limits import TOKEN_REQUESTS
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.machine import ConfidentialClient, add_machine, asserted
from tests.fixtures.oauth_client import new_client
from tests.fixtures.token_answers import error_of, is_taken

INVALID_CLIENT = (401, "invalid_client")
TOO_MANY = (429, "temporarily_unavailable")
WINDOW_SECONDS = 300

HERE = "203.0.113.9"
ELSEWHERE = "198.51.100.7"


@pytest.fixture
def deployment(deploy: Callable[..., Deployment]) -> Deployment:
    return deploy(TRUSTED_PROXY_HOPS="1")


@pytest.fixture
async def machine(deployment: Deployment) -> ConfidentialClient:
    return await add_machine(deployment)


async def fail(machine: ConfidentialClient, times: int, at: str = HERE) -> list[httpx.Response]:
    """Log in with a wrong secret, again and again."""
    wrong = machine.by(machine.method, "wrong")
    return [await wrong.log_in(at) for _ in range(times)]


@requirement("C4")
async def test_ten_failures_on_two_instances_are_429_everywhere_for_the_right_secret_too(
    deployment, machine
):
    elsewhere = machine.on(deployment.scale_out())
    failures = [*await fail(machine, 5), *await fail(elsewhere, 5)]

    answers = [await each.log_in(HERE) for each in (machine, elsewhere)]
    answers += [*await fail(machine, 1), await machine.revoke("rmcp_at_x", at=HERE)]

    assert {error_of(answer) for answer in failures} == {INVALID_CLIENT}
    assert {error_of(answer) for answer in answers} == {TOO_MANY}
    assert {answer.headers["retry-after"] for answer in answers} == {str(WINDOW_SECONDS)}


@requirement("C4")
async def test_whoever_waits_as_told_logs_in_again(deployment, machine):
    await fail(machine, 10)
    deployment.clock.advance(seconds=100.5)

    refused = await machine.log_in(HERE)
    deployment.clock.advance(seconds=int(refused.headers["retry-after"]))

    assert refused.headers["retry-after"] == "200"
    assert (await machine.log_in(HERE)).status_code == 200


@requirement("C4")
async def test_nine_failures_leave_a_try_and_a_success_forgives_none(machine):
    await fail(machine, 9)

    ninth = await machine.log_in(HERE)
    [tenth] = await fail(machine, 1)
    afterwards = await machine.log_in(HERE)

    assert ninth.status_code == 200
    assert error_of(tenth) == INVALID_CLIENT
    assert error_of(afterwards) == TOO_MANY


@requirement("C4")
async def test_failures_lock_out_one_address_and_one_client(deployment, machine):
    another = await add_machine(deployment)
    await fail(machine, 10)

    assert error_of(await machine.log_in(HERE)) == TOO_MANY
    assert (await machine.log_in(ELSEWHERE)).status_code == 200
    assert (await another.log_in(HERE)).status_code == 200


@requirement("C4")
async def test_an_address_that_a_client_writes_itself_gives_no_more_tries(machine):
    for number in range(10):
        await fail(machine, 1, at=f"192.0.2.{number}, {HERE}")

    assert error_of(await machine.log_in(f"192.0.2.99, {HERE}")) == TOO_MANY


@requirement("C4")
async def test_access_tokens_work_on_while_logins_are_refused(machine):
    access_token = await machine.access_token()
    await fail(machine, 10)

    assert error_of(await machine.log_in(HERE)) == TOO_MANY
    assert await is_taken(machine.plain, access_token)


@requirement("C4")
async def test_only_failed_authentication_counts(machine):
    for _ in range(11):
        await machine.log_in(HERE, scope="rally:admin")
        await machine.log_in(HERE, resource="https://mcp.elsewhere.example/mcp")
        await machine.log_in(HERE, grant_type="refresh_token", refresh_token="rmcp_rt_x")

    assert (await machine.log_in(HERE)).status_code == 200


@requirement("C4")
async def test_bad_assertions_count_as_wrong_secrets_do(deployment):
    machine = await add_machine(deployment, "private_key_jwt")
    log_in = {"grant_type": "client_credentials"}
    proof = asserted(machine.assertion(exp=0)), {}

    failures = [await machine.post("/token", log_in, proof, at=HERE) for _ in range(10)]
    refused = await machine.log_in(HERE)

    assert {error_of(answer) for answer in failures} == {INVALID_CLIENT}
    assert error_of(refused) == TOO_MANY


@requirement("C4")
async def test_strangers_who_fail_at_the_same_address_lock_no_machine_out(deployment, machine):
    stranger = machine.on(deployment.instances[0])
    unknown = {"client_id": "rmcp_mc_0123456789abcdef", "client_secret": "x"}
    for _ in range(11):
        refused = await stranger.post(
            "/token", {"grant_type": "client_credentials"}, (unknown, {}), at=HERE
        )

    assert error_of(refused) == TOO_MANY
    assert (await machine.log_in(HERE)).status_code == 200


@requirement("C4")
async def test_clients_that_registered_themselves_go_on_at_an_address_where_machines_fail(
    deployment, machine
):
    client = new_client(deployment)
    tokens = await client.sign_in()
    await fail(machine, 11, at=HERE)
    public = ConfidentialClient(client, "none")
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}

    answer = await public.post("/token", refresh, at=HERE)

    assert answer.status_code == 200, answer.text
    assert (await public.revoke(answer.json()["refresh_token"], at=HERE)).status_code == 200


@requirement("C10")
async def test_an_address_that_asks_for_too_many_tokens_waits_as_told_and_no_other_does(
    deployment, machine
):
    empty = {}, {}

    answers = [await machine.post("/token", {}, empty, HERE) for _ in range(TOKEN_REQUESTS.burst)]
    refused = await machine.log_in(HERE)
    elsewhere = await machine.log_in(ELSEWHERE)
    deployment.clock.advance(seconds=1)
    afterwards = await machine.log_in(HERE)

    assert {error_of(answer) for answer in answers} == {(400, "invalid_request")}
    assert error_of(refused) == TOO_MANY
    assert refused.headers["retry-after"] == "1"
    assert (elsewhere.status_code, afterwards.status_code) == (200, 200)


@requirement("C4", "C10")
async def test_no_failure_is_counted_where_limits_are_off(deploy):
    machine = await add_machine(deploy(RATE_LIMITS="off"))

    failures = await fail(machine, 20)

    assert {error_of(answer) for answer in failures} == {INVALID_CLIENT}
    assert (await machine.log_in(HERE)).status_code == 200


class WithoutCounting(SqliteStore):
    """A store that is down for whoever counts failures, and for nobody else."""

    async def get(self, collection: str, key: str) -> Stored | None:
        self._check(collection)
        return await super().get(collection, key)

    async def update(self, collection, key, change) -> Stored | None:
        self._check(collection)
        return await super().update(collection, key, change)

    def _check(self, collection: str) -> None:
        if collection == ATTEMPTS:
            raise UpstreamUnavailable("The database is down, try again shortly")


@requirement("C4", "C10")
async def test_logins_that_cannot_be_counted_are_let_through_and_logged(
    deploy, clock, tmp_path: Path
):
    new_store = partial(WithoutCounting, tmp_path / "uncounted.db", clock=clock)
    machine = await add_machine(deploy(new_store=new_store, TRUSTED_PROXY_HOPS="1"))

    with written_log() as log:
        failures = await fail(machine, 11)
        answer = await machine.log_in(HERE)

    lost = [line for line in log.lines if line["message"] == "the login limit could not be kept"]
    assert {error_of(failure) for failure in failures} == {INVALID_CLIENT}
    assert answer.status_code == 200
    assert {line["severity"] for line in lost} == {"WARNING"}
    assert len(lost) == 2 * len(failures) + 1
    assert HERE not in log.text


@requirement("C4", "C12")
async def test_each_refused_login_is_audited_with_its_reason_and_no_secret(deployment, machine):
    with written_log() as log:
        await fail(machine, 1)
        await machine.by("client_secret_post").log_in(HERE)
        await machine.by("client_secret_post", "x").post(
            "/token", {"grant_type": "client_credentials", "client_id": "rmcp_mc_0123456789abcdef"}
        )

    lines = log.audit("client.refused")
    assert [line["reason"] for line in lines] == [
        "wrong secret",
        "another method than the registered one",
        "unknown client",
    ]
    assert [line["client"] for line in lines][:2] == [machine.client_id] * 2
    assert {line["severity"] for line in lines} == {"WARNING"}
    assert machine.secret not in log.text
