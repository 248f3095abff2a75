"""The sign-in link: what opening it does, what it does not, and which links are refused."""

from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest

from rally_mcp.crypto import random_secret
from rally_mcp.sign_in.states import STATE_BITS
from tests.conformance.requirements import requirement
from tests.fixtures.counting_store import counted
from tests.fixtures.deployment import AUTH_ORIGIN, CALLBACK_URL, RALLY_ORIGIN, Caller, Deployment
from tests.fixtures.stored import stored_rows

UNKNOWN_STATE = {
    "error": "Invalid or expired state token",
    "message": "Repeat your request in the chat and open the new link.",
}


async def opened(
    chat: Caller, url: str, *, accept: str = "application/json", method: str = "GET"
) -> httpx.Response:
    """Open an address in a new browser, and follow nothing."""
    return await chat.instance.browser().request(method, url, headers={"Accept": accept})


async def opened_both_ways(chat: Caller, url: str) -> httpx.Response:
    """Open an address as a browser and as a program; return what the program gets."""
    page = await opened(chat, url, accept="text/html,application/xhtml+xml")
    answer = await opened(chat, url)

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-type"] == "application/json"
    assert page.status_code == answer.status_code
    return answer


def changed(link: str, **parameters: str | None) -> str:
    """Return the link with parameters replaced, or left out where None."""
    wanted = {**dict(parse_qsl(urlsplit(link).query)), **parameters}
    query = urlencode({name: value for name, value in wanted.items() if value is not None})
    return f"{link.partition('?')[0]}?{query}"


async def test_the_link_leads_to_rally_with_state_and_challenge(deployment: Deployment) -> None:
    chat = deployment.caller()
    link = await chat.auth_url()

    answer = await opened(chat, link)

    target = urlsplit(answer.headers["location"])
    asked = parse_qs(urlsplit(link).query)
    assert answer.status_code == 302
    assert f"{target.scheme}://{target.netloc}{target.path}" == f"{RALLY_ORIGIN}/login/oauth2/auth"
    assert parse_qs(target.query) == {
        **asked,
        "response_type": ["code"],
        "client_id": ["rally-mcp-test"],
        "redirect_uri": [CALLBACK_URL],
        "scope": ["alm"],
    }


async def test_the_short_link_leads_to_the_same_place(deployment: Deployment) -> None:
    chat = deployment.caller()
    link = await chat.auth_url()
    short = changed(link, code_challenge=None, code_challenge_method=None)

    answers = [await opened(chat, url) for url in (link, short)]

    assert answers[0].headers["location"] == answers[1].headers["location"]


@requirement("A5")
async def test_a_link_that_was_opened_ten_times_still_works(deployment: Deployment) -> None:
    store, instance = counted(deployment)
    chat = deployment.caller().on(instance)
    link = await chat.auth_url()
    before = await stored_rows(deployment)
    store.forget()

    answers = [await opened(chat, link) for _ in range(10)]

    assert [answer.status_code for answer in answers] == [302] * 10
    assert not any("set-cookie" in answer.headers for answer in answers)
    assert store.writes == 0
    assert await stored_rows(deployment) == before
    assert (await chat.visit(link)).code


@requirement("A5")
@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_a_link_is_opened_by_get_alone(deployment: Deployment, method: str) -> None:
    chat = deployment.caller()
    link = await chat.auth_url()
    before = await stored_rows(deployment)

    answers = [await opened(chat, link, method=method) for _ in range(10)]

    assert [answer.status_code for answer in answers] == [405] * 10
    assert {answer.headers["allow"] for answer in answers} == {"GET"}
    assert await stored_rows(deployment) == before
    assert (await chat.visit(link)).code


@pytest.mark.parametrize(
    ("parameters", "body"),
    [
        (
            {"code_challenge_method": "plain"},
            {"error": "Unsupported code_challenge_method", "supported": ["S256"]},
        ),
        (
            {"code_challenge_method": None},
            {"error": "Unsupported code_challenge_method", "supported": ["S256"]},
        ),
        (
            {"code_challenge_method": "s256"},
            {"error": "Unsupported code_challenge_method", "supported": ["S256"]},
        ),
        (
            {"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
            {"error": "Invalid code_challenge - does not match stored code_verifier"},
        ),
        (
            {"code_challenge": None},
            {"error": "Invalid code_challenge - does not match stored code_verifier"},
        ),
        (
            {"code_challenge": ""},
            {"error": "Invalid code_challenge - does not match stored code_verifier"},
        ),
        ({"state": None}, {"error": "Missing state parameter"}),
        ({"state": ""}, {"error": "Missing state parameter"}),
    ],
)
async def test_a_link_whose_parameters_were_changed_is_refused(
    deployment: Deployment, parameters: dict[str, str | None], body: dict[str, object]
) -> None:
    chat = deployment.caller()
    link = await chat.auth_url()

    answer = await opened_both_ways(chat, changed(link, **parameters))

    assert answer.status_code == 400
    assert body.items() <= answer.json().items()
    assert (await chat.visit(link)).code


@pytest.mark.parametrize("name", ["state", "code_challenge", "code_challenge_method", "other"])
async def test_a_parameter_that_comes_twice_is_refused(deployment: Deployment, name: str) -> None:
    chat = deployment.caller()
    link = f"{await chat.auth_url()}&other=1"
    [value] = parse_qs(urlsplit(link).query)[name]

    answer = await opened_both_ways(chat, f"{link}&{urlencode({name: value})}")

    assert answer.status_code == 400
    assert answer.json()["error"] == "Duplicate parameter"


@requirement("A11")
@pytest.mark.parametrize("path", [f"{AUTH_ORIGIN}/auth?", f"{CALLBACK_URL}?code=x&"])
async def test_a_state_that_is_not_waited_for_is_refused_with_one_body(
    deployment: Deployment, path: str
) -> None:
    chat = deployment.caller()
    [state] = parse_qs(urlsplit(await chat.auth_url()).query)["state"]
    altered = ("B" if state[0] == "A" else "A") + state[1:]
    used = deployment.caller()
    used_up = parse_qs(urlsplit(await used.auth_url()).query)["state"][0]
    await used.sign_in()
    invented = [random_secret(STATE_BITS), altered, used_up, state[:-1], f"{state}A", "'\"<>", "x"]

    answers = [
        await opened_both_ways(chat, path + urlencode({"state": value})) for value in invented
    ]

    assert {answer.status_code for answer in answers} == {400}
    assert [answer.json() for answer in answers] == [UNKNOWN_STATE] * len(invented)


@requirement("A10")
async def test_an_expired_link_is_refused_although_its_record_is_still_there(
    deployment: Deployment,
) -> None:
    chat = deployment.caller()
    link = await chat.auth_url()

    deployment.clock.advance(minutes=10)
    answer = await opened_both_ways(chat, link)

    assert len(await stored_rows(deployment, "oauth_states")) == 1
    assert answer.status_code == 400
    assert answer.json() == UNKNOWN_STATE


@requirement("A10")
async def test_an_answer_from_rally_that_comes_too_late_is_refused_and_exchanges_nothing(
    deployment: Deployment,
) -> None:
    chat = deployment.caller()
    address = await chat.back_from_rally()

    deployment.clock.advance(minutes=10)
    answer = await opened_both_ways(chat, address)

    assert len(await stored_rows(deployment, "oauth_states")) == 1
    assert answer.status_code == 400
    assert deployment.rally.stats.code_exchanges == 0


async def test_a_link_works_until_the_last_second_of_its_ten_minutes(
    deployment: Deployment,
) -> None:
    chat = deployment.caller()
    link = await chat.auth_url()

    deployment.clock.advance(minutes=9, seconds=59)

    assert (await chat.visit(link)).code


async def test_a_fresh_link_replaces_one_that_has_expired(deployment: Deployment) -> None:
    chat = deployment.caller()
    expired = await chat.auth_url()

    deployment.clock.now += timedelta(minutes=10)
    fresh = await chat.auth_url()

    assert fresh != expired
    assert (await chat.visit(fresh)).code


@requirement("A19")
@pytest.mark.parametrize(
    "name", ["next", "return_to", "redirect_uri", "redirect", "url", "client_id", "scope"]
)
async def test_no_parameter_changes_where_the_link_leads(deployment: Deployment, name: str) -> None:
    chat = deployment.caller()
    link = await chat.auth_url()

    plain = await opened(chat, link)
    asked = await opened(chat, changed(link, **{name: "https://evil.example/"}))

    assert asked.headers["location"] == plain.headers["location"]


@requirement("A19")
@pytest.mark.parametrize("path", ["/auth", "/auth/", "//evil.example/auth"])
@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "Forwarded"])
async def test_no_header_changes_where_the_link_leads(
    deployment: Deployment, path: str, header: str
) -> None:
    chat = deployment.caller()
    link = await chat.auth_url()
    value = "host=evil.example" if header == "Forwarded" else "evil.example"

    answer = await chat.instance.browser().get(
        link.replace("/auth?", f"{path}?"), headers={header: value}
    )

    location = answer.headers.get("location", RALLY_ORIGIN)
    assert location.startswith(RALLY_ORIGIN)
    assert "evil.example" not in location
