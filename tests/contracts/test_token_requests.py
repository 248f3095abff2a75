"""What becomes of a request to any upstream's token endpoint, whatever it answers."""

from datetime import timedelta

import httpx
import pytest

from rally_mcp.errors import UpstreamRejected, UpstreamUnavailable
from rally_mcp.identity_providers.declaration import ServiceAccount, TokenResponse
from rally_mcp.identity_providers.token_endpoint import GrantRefused
from rally_mcp.secret_store import REREAD_PAUSE
from tests.fixtures.upstream_contract import (
    DECLARED,
    HTTP_ERRORS,
    answering,
    line_to,
    token_endpoint,
)
from tests.fixtures.upstreams import SECRET

EACH_UPSTREAM = pytest.mark.parametrize("upstream", DECLARED)

ERROR_WORDS = [
    (upstream, word, code)
    for upstream, each in DECLARED.items()
    for word, code in each.token_wire.error_words.items()
]
"""What upstreams say in place of the error codes of RFC 6749 §5.2."""


async def asked(upstream: str, http: httpx.AsyncClient, clock) -> TokenResponse:
    """Ask for an access token by the grant that an upstream's tokens are renewed with."""
    each, endpoint = DECLARED[upstream], token_endpoint(http, clock)
    if isinstance(each, ServiceAccount):
        return await endpoint.client_credentials(each)
    return await endpoint.refresh(each, "the refresh token")


@EACH_UPSTREAM
@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        *HTTP_ERRORS,
        (UpstreamUnavailable, httpx.Response(500, text="down")),
        (UpstreamUnavailable, httpx.Response(429)),
        (UpstreamRejected, httpx.Response(200, text="<html>")),
        (UpstreamRejected, httpx.Response(200, json=[])),
        (UpstreamRejected, httpx.Response(200, json={"token_type": "Bearer"})),
        (UpstreamRejected, httpx.Response(200, json={"access_token": "two words"})),
        (UpstreamRejected, httpx.Response(200, json={"access_token": "line\nbreak"})),
        (UpstreamRejected, httpx.Response(302, headers={"Location": "https://example.com"})),
        (UpstreamRejected, httpx.Response(400, json={"error": "server_error"})),
        (UpstreamRejected, httpx.Response(401, json={"error": "invalid_client"})),
        (UpstreamRejected, httpx.Response(200, json={"error": "invalid_client"})),
        (UpstreamRejected, httpx.Response(200, json={"error": "html"})),
        (GrantRefused, httpx.Response(400, json={"error": "invalid_grant"})),
        (GrantRefused, httpx.Response(200, json={"error": "invalid_grant"})),
        (GrantRefused, httpx.Response(400, json={"error": "unsupported_grant_type"})),
    ],
)
async def test_a_token_request_that_fails_says_how_and_quotes_nothing(
    upstream, expected, answer, clock
):
    async with answering(answer) as http:
        with pytest.raises(expected) as raised:
            await asked(upstream, http, clock)

    assert type(raised.value) is expected
    assert DECLARED[upstream].title in raised.value.message
    for hidden in ("the refresh token", SECRET, "html", "example.com"):
        assert hidden not in raised.value.message


@pytest.mark.parametrize(("upstream", "word", "code"), ERROR_WORDS)
async def test_an_upstreams_own_word_means_the_code_that_its_declaration_says(
    upstream, word, code, clock
):
    messages = []
    for status, error in ((200, word), (400, word), (400, code)):
        async with answering(httpx.Response(status, json={"error": error})) as http:
            with pytest.raises(UpstreamRejected) as raised:
                await asked(upstream, http, clock)
        messages.append((type(raised.value), raised.value.message))

    assert messages[0] == messages[1] == messages[2]


@EACH_UPSTREAM
async def test_a_wrong_client_secret_is_for_the_administrator_to_put_right(upstream, clock):
    async with line_to(upstream, clock) as line:
        line.secrets |= dict.fromkeys(line.secrets, "another secret")

        with pytest.raises(UpstreamRejected) as raised:
            await line.granted()

    assert type(raised.value) is UpstreamRejected
    assert "client id and secret; its administrator must set them again" in raised.value.message


@EACH_UPSTREAM
async def test_a_client_secret_that_was_just_rotated_is_read_again(upstream, clock):
    async with line_to(upstream, clock) as line:
        endpoint, right = line.token_endpoint, dict(line.secrets)
        line.secrets |= dict.fromkeys(line.secrets, "the old secret")
        await endpoint.secrets.get(line.declared.client_secret)
        line.secrets |= right
        clock.now += REREAD_PAUSE

        granted = await line.granted(endpoint=endpoint)

    assert granted.access_token


@EACH_UPSTREAM
@pytest.mark.parametrize(
    ("expected", "members"),
    [
        (None, {}),
        (None, {"expires_in": None}),
        (timedelta(seconds=90), {"expires_in": 90}),
        (timedelta(seconds=90), {"expires_in": "90"}),
        (timedelta(days=30), {"expires_in": 10**12}),
    ],
    ids=str,
)
async def test_tokens_live_as_long_as_told_within_bounds(upstream, expected, members, clock):
    answer = httpx.Response(200, json={"access_token": "token", **members})
    async with answering(answer) as http:
        granted = await asked(upstream, http, clock)

    untold = DECLARED[upstream].token_wire.default_lifetime
    assert timedelta(0) < untold <= timedelta(days=30)
    assert granted.expires_at == clock() + (expected or untold)
    assert granted.refresh_token is None


@EACH_UPSTREAM
@pytest.mark.parametrize("lifetime", ["NaN", "Infinity", "-1", "0"])
async def test_a_lifetime_that_makes_no_sense_still_gives_a_token_to_use(upstream, lifetime, clock):
    text = f'{{"access_token": "token", "expires_in": {lifetime}}}'
    async with answering(httpx.Response(200, text=text)) as http:
        granted = await asked(upstream, http, clock)

    assert clock() < granted.expires_at <= clock() + timedelta(days=30)


@pytest.mark.parametrize("status", [415, 422])
@EACH_UPSTREAM
async def test_a_form_that_is_refused_is_sent_again_as_json_where_that_may_be_wanted(
    upstream, status, clock
):
    media_types = []

    def answer(request: httpx.Request) -> httpx.Response:
        media_types.append(request.headers["content-type"])
        is_json = media_types[-1] == "application/json"
        return httpx.Response(200, json={"access_token": "t"}) if is_json else refused

    refused = httpx.Response(status, json={"detail": "A JSON object is wanted."})
    async with answering(answer) as http:
        try:
            await asked(upstream, http, clock)
        except UpstreamRejected:
            media_types.append("refused")

    may_want_json = DECLARED[upstream].token_wire.may_want_json
    assert media_types == [
        "application/x-www-form-urlencoded",
        "application/json" if may_want_json else "refused",
    ]
