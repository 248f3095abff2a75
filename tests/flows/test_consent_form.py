"""The form of the consent page: good in the browser, and for the request, it was shown for."""

import httpx
import pytest

from tests.clients.browser_walk import Page
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import (
    AUTH_ORIGIN,
    CALLBACK_ORIGIN,
    MCP_ORIGIN,
    RALLY_ORIGIN,
    Deployment,
)
from tests.fixtures.log_lines import written_log
from tests.fixtures.oauth_client import REDIRECT_URI, OAuthClient, new_client, told
from tests.fixtures.stored import stored_rows

SAME_ORIGIN = {"Origin": AUTH_ORIGIN, "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def client(deployment) -> OAuthClient:
    client = new_client(deployment)
    await client.register()
    return client


@pytest.fixture
def browser(client: OAuthClient) -> httpx.AsyncClient:
    return client.instance.browser()


async def send(
    browser: httpx.AsyncClient, page: Page, headers: dict[str, str] | None = None, **changed: str
) -> httpx.Response:
    """Send the page's form with `allow`, headers and fields changed as given."""
    assert page.form, page.response.text
    return await browser.post(
        f"{AUTH_ORIGIN}{page.form.action}",
        data={**page.form.fields, "decision": "allow", **changed},
        headers=SAME_ORIGIN if headers is None else headers,
    )


async def assert_nothing_allowed(deployment: Deployment, answer: httpx.Response) -> None:
    """Fail unless a form was refused on a page, and without a trace."""
    assert answer.status_code == 403
    assert "location" not in answer.headers
    assert "This page belongs to another browser, was used already or is too old." in answer.text
    assert await stored_rows(deployment) == []


@requirement("B10", "B12")
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://attacker.example"},
        {"Origin": "https://attacker.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
        {"Origin": MCP_ORIGIN, "Sec-Fetch-Site": "same-site"},
        {"Origin": CALLBACK_ORIGIN},
        {"Origin": f"{AUTH_ORIGIN}.attacker.example"},
        {"Origin": AUTH_ORIGIN, "Sec-Fetch-Site": "cross-site"},
        {"Origin": AUTH_ORIGIN, "Sec-Fetch-Site": "same-site"},
        {"Origin": AUTH_ORIGIN, "Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_a_form_that_another_page_sent_is_refused(client, browser, headers):
    page = await client.consent_page(browser)

    with written_log() as log:
        answer = await send(browser, page, headers)

    await assert_nothing_allowed(client.deployment, answer)
    assert len(log.audit("consent.refused")) == 1
    assert (await send(browser, page)).status_code == 303


@requirement("B12")
async def test_a_form_without_its_cookie_is_refused(client, browser):
    page = await client.consent_page(browser)

    answer = await send(client.instance.browser(), page)

    await assert_nothing_allowed(client.deployment, answer)


@requirement("B12")
async def test_a_form_with_the_cookie_of_another_page_is_refused(client, browser):
    page, elsewhere = await client.consent_page(browser), client.instance.browser()
    other = await client.consent_page(elsewhere)
    grants = [each.form.fields["grant"] for each in (page, other)]
    [secret] = elsewhere.cookies.values()
    elsewhere.cookies.set(f"rmcp_{grants[0]}", secret, "127.0.0.1")

    answers = [
        await send(elsewhere, page),
        await send(elsewhere, page, grant=grants[1]),
        await send(elsewhere, other, grant=grants[0]),
    ]

    for answer in answers:
        await assert_nothing_allowed(client.deployment, answer)


@requirement("B10")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("redirect_uri", "http://127.0.0.1:51234/callback"),
        ("scope", "rally:read rally:write"),
        ("state", "another"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("grant", "0" * 32),
        ("grant", "../" * 8),
        ("grant", ""),
        ("proof", "0" * 64),
        ("proof", "Ä"),
        ("proof", ""),
    ],
)
async def test_a_form_with_one_field_altered_is_refused(client, browser, name, value):
    page = await client.consent_page(browser, scope="rally:read")

    answer = await send(browser, page, **{name: value})

    await assert_nothing_allowed(client.deployment, answer)


@requirement("B10")
async def test_a_form_for_another_client_is_refused(client, browser):
    page = await client.consent_page(browser)
    other = new_client(client.deployment)
    await other.register(client_name="Another Client")

    answer = await send(browser, page, client_id=other.client_id)

    await assert_nothing_allowed(client.deployment, answer)


@requirement("B10")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client_id", "vscode"),
        ("redirect_uri", "https://attacker.example/callback"),
        ("response_type", "token"),
        ("resource", "https://attacker.example/mcp"),
        ("scope", "everything"),
        ("code_challenge_method", "plain"),
    ],
)
async def test_a_form_altered_to_what_no_client_may_ask_allows_nothing(
    client, browser, name, value
):
    page = await client.consent_page(browser)

    answer = await send(browser, page, **{name: value})

    assert answer.status_code in {303, 400, 403}
    assert answer.headers.get("location", REDIRECT_URI).startswith(REDIRECT_URI)
    assert "attacker" not in answer.headers.get("location", "")
    assert "code" not in (told(answer) if answer.has_redirect_location else {})
    assert await stored_rows(client.deployment) == []


@requirement("B9")
async def test_a_form_with_a_field_that_comes_twice_is_refused(client, browser):
    page = await client.consent_page(browser)
    fields = {**page.form.fields, "decision": "allow"}

    answers = [
        await browser.post(
            f"{AUTH_ORIGIN}/authorize",
            data={**fields, name: [value, value]},
            headers=SAME_ORIGIN,
        )
        for name, value in fields.items()
    ]

    for answer in answers:
        await assert_nothing_allowed(client.deployment, answer)


@requirement("B10")
async def test_a_form_with_a_field_left_out_allows_nothing(client, browser):
    page = await client.consent_page(browser, scope="rally:read")
    fields = {**page.form.fields, "decision": "allow"}
    needed = fields.keys() - {"resource"}  # without which this one is meant

    answers = [
        await browser.post(
            f"{AUTH_ORIGIN}/authorize",
            data={each: value for each, value in fields.items() if each != name},
            headers=SAME_ORIGIN,
        )
        for name in sorted(needed)
    ]

    assert {answer.status_code for answer in answers} <= {303, 400, 403}
    assert not any(RALLY_ORIGIN in answer.headers.get("location", "") for answer in answers)
    assert await stored_rows(client.deployment) == []


@requirement("B10")
@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        ("decision=allow", "text/plain", 415),
        ('{"decision": "allow"}', "application/json", 415),
        ("decision=allow", "multipart/form-data; boundary=x", 415),
        ("a=" + "x" * 65_536, "application/x-www-form-urlencoded", 413),
        (
            "&".join(f"a{number}=" for number in range(101)),
            "application/x-www-form-urlencoded",
            400,
        ),
        ("decision=%ff", "application/x-www-form-urlencoded", 400),
    ],
    ids=["text", "json", "multipart", "too large", "too many fields", "not UTF-8"],
)
async def test_what_is_no_form_of_ours_is_refused(client, browser, body, media_type, status):
    answer = await browser.post(
        f"{AUTH_ORIGIN}/authorize",
        content=body,
        headers={**SAME_ORIGIN, "Content-Type": media_type},
    )

    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
