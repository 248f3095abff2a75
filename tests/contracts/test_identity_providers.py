"""What every upstream promises, whoever it is: its link, its tokens, its user, its failures."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from devtools.rally_simulator import RallySimulator, RegisteredClient, create_app
from rally_mcp.errors import UpstreamRejected, UpstreamTimeout, UpstreamUnavailable
from rally_mcp.http_client import new_client
from rally_mcp.identity_providers.declaration import IdentityProvider, UpstreamUser
from rally_mcp.identity_providers.rally import rally as declare_rally
from rally_mcp.identity_providers.token_endpoint import GrantRefused, TokenEndpoint
from rally_mcp.secret_store import SecretStore
from rally_mcp.settings import Function, load

ORIGIN = "https://rally.example.com"
CALLBACK_URL = "https://callback.example.com/callback"
SECRET = "correct horse"
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
HTTP_ERRORS = [
    (UpstreamTimeout, httpx.ReadTimeout),
    (UpstreamTimeout, httpx.ConnectTimeout),
    (UpstreamUnavailable, httpx.ConnectError),
    (UpstreamUnavailable, httpx.RemoteProtocolError),
]


def rally_declared(**changed: str) -> IdentityProvider:
    environment = {
        "MCP_URL": "https://mcp.example.com/mcp",
        "AUTH_URL": "https://auth.example.com",
        "CALLBACK_URL": CALLBACK_URL,
        "GOOGLE_CLOUD_PROJECT": "acme-rally",
        "RALLY_URL": ORIGIN,
        "RALLY_CLIENT_ID": "0123abcd",
        "RALLY_CLIENT_SECRET": "env:SECRET",
    }
    return declare_rally(load(Function.OAUTH_CALLBACK, environment | changed))


PROVIDERS = {"rally": rally_declared}


@pytest.fixture(params=PROVIDERS.values(), ids=PROVIDERS)
def provider(request) -> IdentityProvider:
    declared: IdentityProvider = request.param()
    return declared


@pytest.fixture
def simulator() -> RallySimulator:
    client = RegisteredClient("0123abcd", SECRET, (CALLBACK_URL,))
    return RallySimulator(clock=lambda: NOW, clients=[client], auto_consent="ann")


@pytest.fixture
async def upstream(simulator):
    """The real upstream's place: an HTTP client that reaches its simulator."""
    async with new_client(mounts={ORIGIN: httpx.ASGITransport(create_app(simulator))}) as http:
        yield http


def answering(answer: httpx.Response | type[httpx.TransportError]) -> httpx.AsyncClient:
    """Return a client whose upstream always gives this answer, or breaks so."""

    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, httpx.Response):
            return answer
        raise answer("broken", request=request)

    return new_client(mounts={"all://": httpx.MockTransport(handle)})


def token_endpoint(http: httpx.AsyncClient) -> TokenEndpoint:
    secrets = SecretStore(clock=lambda: NOW, environment={"SECRET": SECRET})
    return TokenEndpoint(lambda: http, secrets, lambda: NOW)


async def code_from(http: httpx.AsyncClient, provider: IdentityProvider) -> str:
    redirect = await http.get(provider.authorization_url("s" * 24, "c" * 43))
    [code] = parse_qs(urlsplit(redirect.headers["location"]).query)["code"]
    return code


def test_the_link_carries_the_request_of_rfc_6749_with_pkce_and_no_secret(provider):
    url = urlsplit(provider.authorization_url("state 1&2", "challenge"))

    assert f"{url.scheme}://{url.netloc}{url.path}" == provider.authorization_endpoint
    assert parse_qs(url.query, strict_parsing=True) == {
        "response_type": ["code"],
        "client_id": [provider.client_id],
        "redirect_uri": [CALLBACK_URL],
        "scope": [provider.scope],
        "state": ["state 1&2"],
        "code_challenge": ["challenge"],
        "code_challenge_method": ["S256"],
    }
    assert SECRET not in repr(provider)


async def test_a_code_becomes_tokens_and_tokens_become_new_ones(provider, upstream):
    endpoint = token_endpoint(upstream)

    granted = await endpoint.exchange_code(provider, await code_from(upstream, provider), "v" * 43)
    refreshed = await endpoint.refresh(provider, granted.refresh_token or "")

    assert granted.expires_at == refreshed.expires_at == NOW + timedelta(days=1)
    assert granted.access_token != refreshed.access_token
    for token in (granted.access_token, granted.refresh_token, refreshed.access_token):
        assert token
        assert token not in repr(granted) + repr(refreshed)


async def test_a_used_code_is_refused_for_good(provider, upstream):
    endpoint = token_endpoint(upstream)
    code = await code_from(upstream, provider)
    await endpoint.exchange_code(provider, code, "v" * 43)

    with pytest.raises(GrantRefused):
        await endpoint.exchange_code(provider, code, "v" * 43)


async def test_the_user_is_told_by_a_name_that_stays_and_one_for_people(
    provider, upstream, simulator
):
    endpoint = token_endpoint(upstream)
    granted = await endpoint.exchange_code(provider, await code_from(upstream, provider), "v" * 43)

    user = await provider.find_user(upstream, granted.access_token)

    assert user.id == str(simulator.users["ann"].object_id)
    assert user.name == "Ann Archer"
    assert user.tenant == "Acme Corporation"
    assert user.tenant in user.tenant_names


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        *HTTP_ERRORS,
        (UpstreamUnavailable, httpx.Response(500, text="down")),
        (UpstreamUnavailable, httpx.Response(429)),
        (UpstreamRejected, httpx.Response(200, text="<html>")),
        (UpstreamRejected, httpx.Response(200, json=[])),
        (UpstreamRejected, httpx.Response(200, json={"token_type": "Bearer"})),
        (UpstreamRejected, httpx.Response(302, headers={"Location": "https://example.com"})),
        (UpstreamRejected, httpx.Response(400, json={"error": "server_error"})),
        (UpstreamRejected, httpx.Response(401, json={"error": "invalid_client"})),
        (GrantRefused, httpx.Response(400, json={"error": "invalid_grant"})),
        (GrantRefused, httpx.Response(400, json={"error": "unsupported_grant_type"})),
    ],
)
async def test_a_token_request_that_fails_says_how_and_quotes_nothing(provider, expected, answer):
    async with answering(answer) as http:
        with pytest.raises(expected) as raised:
            await token_endpoint(http).refresh(provider, "the refresh token")

    assert type(raised.value) is expected
    for hidden in ("the refresh token", SECRET, "html", "example.com"):
        assert hidden not in raised.value.message


@pytest.mark.parametrize(
    ("expected", "members"),
    [
        (timedelta(hours=1), {}),
        (timedelta(hours=1), {"expires_in": None}),
        (timedelta(seconds=90), {"expires_in": 90}),
        (timedelta(seconds=90), {"expires_in": "90"}),
        (timedelta(days=30), {"expires_in": 10**12}),
    ],
    ids=str,
)
async def test_tokens_live_as_long_as_told_within_bounds(provider, expected, members):
    answer = httpx.Response(200, json={"access_token": "token", **members})
    async with answering(answer) as http:
        granted = await token_endpoint(http).refresh(provider, "refresh token")

    assert granted.expires_at == NOW + expected
    assert granted.refresh_token is None


@pytest.mark.parametrize("lifetime", ["NaN", "Infinity", "-1", "0"])
async def test_a_lifetime_that_makes_no_sense_still_gives_a_token_to_use(provider, lifetime):
    text = f'{{"access_token": "token", "expires_in": {lifetime}}}'
    async with answering(httpx.Response(200, text=text)) as http:
        granted = await token_endpoint(http).refresh(provider, "refresh token")

    assert NOW < granted.expires_at <= NOW + timedelta(days=30)


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        *HTTP_ERRORS,
        (UpstreamUnavailable, httpx.Response(503)),
        (UpstreamUnavailable, httpx.Response(429)),
        (UpstreamRejected, httpx.Response(401, text="Error 401")),
        (UpstreamRejected, httpx.Response(200, json={})),
        (UpstreamRejected, httpx.Response(200, json=[])),
        (UpstreamRejected, httpx.Response(200, json={"User": {}})),
        (UpstreamRejected, httpx.Response(200, json={"QueryResult": {"Results": []}})),
    ],
)
async def test_a_user_who_cannot_be_found_says_why(provider, expected, answer):
    async with answering(answer) as http:
        with pytest.raises(expected) as raised:
            await provider.find_user(http, "the access token")

    assert type(raised.value) is expected
    assert "the access token" not in raised.value.message


@pytest.mark.parametrize(
    ("expected", "user"),
    [
        (
            UpstreamUser("7", "Ann", "Acme", frozenset({"Acme", "41", "9"})),
            {
                "ObjectID": 7,
                "DisplayName": "Ann",
                "SubscriptionID": 41,
                "Subscription": {"Name": "Acme", "ObjectID": 9},
            },
        ),
        (
            UpstreamUser("7", "Ann A.", "Acme", frozenset({"Acme", "9"})),
            {
                "ObjectID": 7,
                "DisplayName": None,
                "_refObjectName": "Ann A.",
                "Subscription": {"_ref": f"{ORIGIN}/subscription/9", "_refObjectName": "Acme"},
            },
        ),
        (
            UpstreamUser("7", "ann@example.com"),
            {"ObjectID": 7, "UserName": "ann@example.com", "Subscription": None},
        ),
    ],
    ids=["whole", "by reference", "bare"],
)
@pytest.mark.parametrize("form", ["User", "QueryResult"])
async def test_rally_may_tell_the_user_in_several_forms(expected, user, form):
    document = {"User": user} if form == "User" else {"QueryResult": {"Results": [user]}}

    async with answering(httpx.Response(200, json=document)) as http:
        found = await rally_declared().find_user(http, "token")

    assert found == expected


@pytest.mark.parametrize(
    ("allowed", "is_admitted"),
    [("", True), ("Acme", True), ("acme", True), ("Other, 41", True), ("Other", False)],
)
def test_a_deployment_is_for_people_of_its_subscriptions(allowed, is_admitted):
    provider = rally_declared(RALLY_SUBSCRIPTIONS=allowed)

    user = UpstreamUser("7", "Ann", "Acme", frozenset({"Acme", "41"}))

    assert provider.admits(user) is is_admitted


def test_nobody_without_a_known_subscription_is_admitted_to_a_bounded_deployment():
    provider = rally_declared(RALLY_SUBSCRIPTIONS="Acme")

    assert not provider.admits(UpstreamUser("7", "Ann"))
