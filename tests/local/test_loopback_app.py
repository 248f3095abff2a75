"""What the listener answers to a browser, to a foreign page, and to other processes."""

import pytest

from rally_mcp import __version__
from rally_mcp.local.principal_secret import PrincipalSecret
from rally_mcp.local.siblings import Siblings
from tests.fixtures.local_process import ORIGIN, LocalProcess

FUNCTIONS_PATHS = [
    "/",
    "/authorize",
    "/authorize/complete",
    "/token",
    "/register",
    "/revoke",
    "/.well-known/oauth-authorization-server",
    "/other/callback",
    "/auth/health",
    "/mcp",
    "/tools",
]


async def test_a_person_is_signed_in_without_a_code(local: LocalProcess):
    page = await local.visit((await local.prompt()).short_auth_url)

    assert page.response.status_code == 200
    assert "Ann Archer" in page.response.text
    assert page.code == ""
    assert local.returned == ["returned"]
    credential = local.services.credentials.of(
        local.secret.principal, local.services.providers["rally"]
    )
    assert (await credential.current()).value


@pytest.mark.parametrize("path", FUNCTIONS_PATHS)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nothing_else_of_the_functions_is_served(local, method, path):
    answer = await local.browser.request(method, f"{ORIGIN}{path}")

    assert answer.status_code == 404


@pytest.mark.parametrize("path", ["/auth", "/callback", "/health"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_its_paths_are_read_and_nothing_else(local, method, path):
    answer = await local.browser.request(method, f"{ORIGIN}{path}")

    assert answer.status_code == 405


@pytest.mark.parametrize("host", ["rebound.example", "rebound.example:8765", "127.0.0.1:9999"])
@pytest.mark.parametrize("path", ["/auth", "/callback", "/health"])
async def test_a_name_that_was_pointed_at_this_machine_is_refused(local, host, path):
    state = (await local.prompt()).short_auth_url.partition("state=")[2]

    answer = await local.browser.get(
        f"{ORIGIN}{path}", params={"state": state}, headers={"Host": host}
    )

    assert answer.status_code == 421


async def test_a_page_of_another_origin_is_refused(local):
    answer = await local.browser.get(
        f"{ORIGIN}/health", headers={"Origin": "https://rebound.example"}
    )

    assert answer.status_code == 403


async def test_its_health_names_function_and_version_and_no_secret(local):
    answer = await local.browser.get(f"{ORIGIN}/health")

    assert answer.json() == {"status": "ok", "function": "stdio", "version": __version__}


async def test_a_process_of_the_same_user_and_settings_is_recognised(local):
    other = Siblings(local.secret, local.base.settings, lambda: local.browser)

    assert await other.one_serves(ORIGIN)


async def test_a_process_of_another_user_is_not_recognised(local):
    other = Siblings(PrincipalSecret("t" * 43), local.base.settings, lambda: local.browser)

    assert not await other.one_serves(ORIGIN)


@pytest.mark.parametrize(
    "changed", [{"callback_url": "http://127.0.0.1:8766/callback"}, {"sqlite_path": "/other.db"}]
)
async def test_a_process_of_other_settings_is_not_recognised(local, changed):
    settings = local.base.settings.model_copy(update=changed)
    other = Siblings(local.secret, settings, lambda: local.browser)

    assert not await other.one_serves(ORIGIN)


async def test_a_program_that_repeats_an_earlier_proof_is_not_recognised(local):
    earlier = await local.browser.get(f"{ORIGIN}/health", params={"challenge": "earlier"})
    later = await local.browser.get(f"{ORIGIN}/health", params={"challenge": "later"})

    assert earlier.json()["proof"] != later.json()["proof"]
