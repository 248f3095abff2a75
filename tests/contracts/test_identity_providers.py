"""What every upstream promises that people sign in to: its link, codes and tokens, its users."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from rally_mcp.errors import UpstreamRejected, UpstreamUnavailable
from rally_mcp.identity_providers.declaration import (
    Evidence,
    IdentityProvider,
    TokenResponse,
)
from rally_mcp.identity_providers.revocation import Revocation
from rally_mcp.identity_providers.token_endpoint import GrantRefused
from rally_mcp.secret_store import SecretStore
from tests.fixtures.deployment import CALLBACK_URL
from tests.fixtures.upstream_contract import (
    CODE_VERIFIER,
    HTTP_ERRORS,
    PROVIDERS,
    STATE,
    Line,
    answering,
    declared,
    line_to,
    token_endpoint,
)
from tests.fixtures.upstreams import SECRET, SECRETS, SIMULATORS

EACH_PROVIDER = pytest.mark.parametrize("provider", PROVIDERS, indirect=True)


@pytest.fixture
def provider(request) -> IdentityProvider:
    """Declare it anew: what a process remembers of an upstream, each has for itself."""
    return declared(request.param)


@pytest.fixture(params=PROVIDERS)
async def line(request, clock):
    async with line_to(request.param, clock) as line:
        yield line


@pytest.fixture(params=PROVIDERS)
async def refreshing(request, clock):
    """A line to an upstream that gives refresh tokens, as each can."""
    switches = SIMULATORS[request.param].refreshing
    async with line_to(request.param, clock, **switches) as line:
        yield line


async def is_good(line: Line, granted: TokenResponse) -> bool:
    """Whether the upstream still takes an access token."""
    try:
        await line.find_user(granted)
    except UpstreamRejected:
        return False
    return True


@EACH_PROVIDER
def test_the_link_carries_the_request_of_rfc_6749_with_pkce_and_nothing_else(provider):
    url = urlsplit(provider.authorization_url("state 1&2", "challenge"))

    nonce = {"nonce": [provider.nonce("state 1&2")]} if provider.sends_nonce else {}
    assert f"{url.scheme}://{url.netloc}{url.path}" == provider.authorization_endpoint
    assert parse_qs(url.query, strict_parsing=True) == {
        "response_type": ["code"],
        "client_id": [provider.client_id],
        "redirect_uri": [CALLBACK_URL],
        "scope": [provider.scope],
        "state": ["state 1&2"],
        "code_challenge": ["challenge"],
        "code_challenge_method": ["S256"],
        **nonce,
    }


@EACH_PROVIDER
def test_a_nonce_belongs_to_one_state_and_does_not_tell_it(provider):
    nonce = provider.nonce(STATE)

    assert nonce == provider.nonce(STATE) == declared(provider.name).nonce(STATE)
    assert nonce != provider.nonce(f"{STATE}2")
    assert STATE not in nonce
    assert len(nonce) >= 22


async def test_a_code_becomes_an_access_token_that_is_shown_nowhere(line, clock):
    granted = await line.exchange(await line.code())

    assert clock() < granted.expires_at
    assert await is_good(line, granted)
    for secret in (granted.access_token, granted.refresh_token, granted.id_token):
        assert not secret or secret not in repr(granted)


async def test_a_refresh_token_becomes_new_tokens(refreshing, clock):
    granted = await refreshing.exchange(await refreshing.code())
    clock.now = granted.expires_at

    refreshed = await refreshing.token_endpoint.refresh(
        refreshing.declared, granted.refresh_token or ""
    )

    assert granted.refresh_token
    assert refreshed.access_token != granted.access_token
    assert refreshed.expires_at > granted.expires_at
    assert granted.refresh_token not in repr(granted)
    assert refreshed.access_token not in repr(refreshed)


async def test_a_used_code_is_refused_for_good(line):
    code = await line.code()
    await line.exchange(code)

    with pytest.raises(GrantRefused):
        await line.exchange(code)


@EACH_PROVIDER
async def test_a_code_is_exchanged_with_its_verifier_and_redirect_uri(provider, clock):
    sent = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(parse_qs(request.content.decode(), strict_parsing=True))
        return httpx.Response(200, json={"access_token": "token"})

    async with answering(answer) as http:
        await token_endpoint(http, clock).exchange_code(provider, "the code", CODE_VERIFIER)

    authentication = {"client_id": [provider.client_id], "client_secret": [SECRET]}
    is_basic = provider.token_wire.authentication == "client_secret_basic"
    assert sent == [
        {
            "grant_type": ["authorization_code"],
            "code": ["the code"],
            "redirect_uri": [CALLBACK_URL],
            "code_verifier": [CODE_VERIFIER],
            **({} if is_basic else authentication),
        }
    ]


async def test_a_refresh_token_that_was_never_given_is_refused_for_good(refreshing):
    with pytest.raises(GrantRefused):
        await refreshing.token_endpoint.refresh(refreshing.declared, "never given")


async def test_a_user_has_an_id_that_stays_and_a_name_for_people(line):
    first, second = [await line.find_user(await line.granted("ann")) for _ in range(2)]
    other = await line.find_user(await line.granted("bob"))

    assert first == second
    assert first.id
    assert other.id not in {"", first.id}
    assert "Ann Archer" in first.name
    assert "Bob Baker" in other.name


@EACH_PROVIDER
@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        *HTTP_ERRORS,
        (UpstreamUnavailable, httpx.Response(503)),
        (UpstreamUnavailable, httpx.Response(429)),
        (UpstreamRejected, httpx.Response(401, text="Error 401")),
        (UpstreamRejected, httpx.Response(302, headers={"Location": "https://example.com"})),
        (UpstreamRejected, httpx.Response(200, text="<html>")),
        (UpstreamRejected, httpx.Response(200, json={})),
        (UpstreamRejected, httpx.Response(200, json=[])),
        (UpstreamRejected, httpx.Response(200, json={"User": {}})),
        (UpstreamRejected, httpx.Response(200, json={"QueryResult": {"Results": []}})),
        (UpstreamRejected, httpx.Response(200, json={"id": None, "login": 7})),
        (UpstreamRejected, httpx.Response(200, json={"issuer": 7, "jwks_uri": None})),
    ],
)
async def test_a_user_who_cannot_be_found_says_why(provider, expected, answer, clock):
    granted = TokenResponse("the access token", None, clock(), "the id_token")
    async with answering(answer) as http:
        with pytest.raises(expected) as raised:
            await provider.find_user(http, Evidence(granted, provider.nonce(STATE), clock))

    assert type(raised.value) is expected
    for hidden in ("the access token", "the id_token", "html", "example.com"):
        assert hidden not in raised.value.message


async def test_a_revoked_access_token_is_worth_nothing_where_the_upstream_can_revoke(line, clock):
    revocation = Revocation(lambda: line.http, SecretStore(clock=clock, environment=SECRETS))
    granted = await line.granted()

    is_revoked = await revocation.revoke(line.declared, granted.access_token)

    assert is_revoked == (line.declared.revoke is not None)
    assert await is_good(line, granted) == (not is_revoked)


@EACH_PROVIDER
@pytest.mark.parametrize(
    "answer", [*(error for _, error in HTTP_ERRORS), httpx.Response(500), httpx.Response(401)]
)
async def test_a_revocation_that_fails_raises_nothing(provider, answer, clock):
    async with answering(answer) as http:
        revocation = Revocation(lambda: http, SecretStore(clock=clock, environment=SECRETS))

        is_revoked = await revocation.revoke(provider, "the access token")

    assert not is_revoked
