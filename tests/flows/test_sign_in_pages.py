"""What the pages of the sign-in have in common: headers, escaping, and one place for a code."""

import base64
import hashlib
import html
import re
from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.clients.browser_walk import CODE_ELEMENT
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import AUTH_ORIGIN, CALLBACK_URL, Deployment
from tests.fixtures.rally_wire import TOKEN, answers, wired

MARKUP = '<script>alert("x")</script><img src=x onerror=alert(1)>'

Deploy = Callable[..., Deployment]


async def signed_in(deploy: Deploy) -> httpx.Response:
    chat = deploy().caller()
    return (await chat.visit(await chat.auth_url())).response


async def signed_in_without_code(deploy: Deploy) -> httpx.Response:
    chat = deploy(SIGN_IN_CONFIRMATION="none").caller()
    return (await chat.visit(await chat.auth_url())).response


async def declined(deploy: Deploy) -> httpx.Response:
    chat = deploy().caller()
    return (await chat.visit(await chat.auth_url(), decision="deny")).response


async def expired(deploy: Deploy) -> httpx.Response:
    deployment = deploy()
    chat = deployment.caller()
    link = await chat.auth_url()
    deployment.clock.advance(minutes=10)
    return (await chat.visit(link)).response


async def already_used(deploy: Deploy) -> httpx.Response:
    chat = deploy().caller()
    address = await chat.back_from_rally()
    await chat.visit(address)
    return (await chat.visit(address)).response


async def not_admitted(deploy: Deploy) -> httpx.Response:
    chat = deploy(RALLY_SUBSCRIPTIONS="Acme Corporation").caller()
    return (await chat.visit(await chat.auth_url(), "bob")).response


async def upstream_failed(deploy: Deploy) -> httpx.Response:
    failing = wired(deploy())
    failing.wire.disturb("POST", TOKEN, answers("down", 500))
    chat = failing.caller(instance=-1)
    return (await chat.visit(await chat.auth_url())).response


def plainly(url: str, method: str = "GET") -> Callable[[Deploy], Awaitable[httpx.Response]]:
    """Return what asks for one address, without a sign-in."""

    async def ask(deploy: Deploy) -> httpx.Response:
        return await deploy().instances[0].browser().request(method, url)

    return ask


PAGES = {
    "signed in": (200, signed_in),
    "signed in without code": (200, signed_in_without_code),
    "declined": (200, declined),
    "expired": (400, expired),
    "already used": (400, already_used),
    "not admitted": (403, not_admitted),
    "upstream failed": (502, upstream_failed),
    "no state": (400, plainly(f"{AUTH_ORIGIN}/auth")),
    "unknown state": (400, plainly(f"{AUTH_ORIGIN}/auth?state=x")),
    "no code": (400, plainly(CALLBACK_URL)),
    "wrong method": (405, plainly(f"{AUTH_ORIGIN}/auth", "POST")),
    "nothing at auth_redirect": (404, plainly(f"{AUTH_ORIGIN}/nothing")),
    "nothing at oauth_callback": (404, plainly(CALLBACK_URL + "/nothing")),
}

every_page = pytest.mark.parametrize(("status", "page"), PAGES.values(), ids=PAGES)


@every_page
@requirement("A7")
async def test_a_page_is_safe_in_itself_and_keeps_the_code_element_to_one(deploy, status, page):
    answer = await page(deploy)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    _check_headers(answer)
    _check_document(answer.text)
    assert (CODE_ELEMENT in answer.text) == (page is signed_in)


@requirement("A7")
async def test_the_redirect_to_rally_leaves_no_trace_in_caches_and_referrers(deployment):
    link = await deployment.caller().auth_url()

    answer = await deployment.instances[0].browser().get(link)

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-robots-tag"] == "noindex"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("confirmation", ["code", "none"])
async def test_a_name_from_rally_is_text_on_the_page(deploy, confirmation):
    deployment = deploy(SIGN_IN_CONFIRMATION=confirmation)
    deployment.rally.users["ann"].values["DisplayName"] = MARKUP
    chat = deployment.caller()

    page = (await chat.visit(await chat.auth_url())).response

    assert page.status_code == 200
    assert html.unescape(page.text).count(MARKUP) >= 1
    assert "<script" not in page.text
    assert "<img" not in page.text


@pytest.mark.parametrize("place", [f"{AUTH_ORIGIN}/auth?state=", f"{CALLBACK_URL}?code=x&state="])
async def test_nothing_of_the_address_is_repeated_on_the_page(deployment, place):
    browser = deployment.instances[0].browser()

    answer = await browser.get(
        f"{place}tell-tale%3Cscript%3E&tell=tale&error_description=tell-tale"
    )

    assert answer.status_code == 400
    assert "tell-tale" not in answer.text
    assert "<script" not in answer.text


async def test_the_headline_names_the_user_and_the_code_stands_alone(deployment):
    chat = deployment.caller()

    page = await chat.visit(await chat.auth_url())

    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", page.code)
    assert page.response.text.count(page.code) == 1
    assert "<h1>Signed in to Rally as Ann Archer</h1>" in page.response.text


def _check_headers(page: httpx.Response) -> None:
    headers = page.headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert headers["cache-control"] == "no-store"
    assert headers["pragma"] == "no-cache"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-robots-tag"] == "noindex"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert int(headers["strict-transport-security"].removeprefix("max-age=")) >= 31_536_000
    assert "set-cookie" not in headers
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{_style_hash(page.text)}'",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }


def _style_hash(document: str) -> str:
    [style] = re.findall(r"<style>(.*?)</style>", document, re.DOTALL)
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _check_document(document: str) -> None:
    assert document.startswith("<!doctype html>")
    assert '<html lang="en">' in document
    assert re.findall(r"<(?:script|form|iframe|img|link|a)\b", document) == []
    assert re.findall(r"<[^>]*\s(?:on\w+|src|href|style)\s*=", document) == []
    assert "@import" not in document
    assert "url(" not in document
