"""What is Rally's own about signing in to it: how it tells the user, and whose people may come."""

import httpx
import pytest

from rally_mcp.identity_providers.declaration import Evidence, TokenResponse, UpstreamUser
from tests.fixtures.deployment import RALLY_ORIGIN
from tests.fixtures.upstream_contract import answering, declared


async def found(document: object, clock, **settings: str) -> tuple[UpstreamUser, httpx.Request]:
    """Return the user that Rally's answer tells, and the request for it."""
    requests = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json=document)

    granted = TokenResponse("the token", None, clock())
    async with answering(answer) as http:
        user = await declared("rally", **settings).find_user(http, Evidence(granted, "", clock))
    [request] = requests
    return user, request


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
                "Subscription": {
                    "_ref": f"{RALLY_ORIGIN}/subscription/9",
                    "_refObjectName": "Acme",
                },
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
async def test_rally_may_tell_the_user_in_several_forms(expected, user, form, clock):
    document = {"User": user} if form == "User" else {"QueryResult": {"Results": [user]}}

    told, _ = await found(document, clock)

    assert told == expected


@pytest.mark.parametrize(
    ("header", "value"), [("ZSESSIONID", "the token"), ("Authorization", "Bearer the token")]
)
async def test_the_token_goes_in_the_header_that_the_settings_name(header, value, clock):
    document = {"User": {"ObjectID": 7, "UserName": "ann@example.com"}}

    _, request = await found(document, clock, RALLY_TOKEN_HEADER=header)

    carried = {name: request.headers.get(name) for name in ("ZSESSIONID", "Authorization")}
    assert carried == {"ZSESSIONID": None, "Authorization": None} | {header: value}


@pytest.mark.parametrize(
    ("allowed", "is_admitted"),
    [("", True), ("Acme", True), ("acme", True), ("Other, 41", True), ("Other", False)],
)
def test_a_deployment_is_for_people_of_its_subscriptions(allowed, is_admitted):
    rally = declared("rally", RALLY_SUBSCRIPTIONS=allowed)

    user = UpstreamUser("7", "Ann", "Acme", frozenset({"Acme", "41"}))

    assert rally.admits(user) is is_admitted


def test_nobody_without_a_known_subscription_is_admitted_to_a_bounded_deployment():
    rally = declared("rally", RALLY_SUBSCRIPTIONS="Acme")

    assert not rally.admits(UpstreamUser("7", "Ann"))
