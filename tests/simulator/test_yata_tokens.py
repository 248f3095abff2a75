"""YATA's token endpoint: who gets an access token, what for, and how it ends."""

import re
from datetime import timedelta

import pytest

from tests.fixtures.simulated_yata import (
    BOTH_SCOPES,
    CREDENTIALS,
    OTHER_CREDENTIALS,
    simulated_yata,
)


@pytest.fixture
async def yata(clock):
    async with simulated_yata(clock) as yata:
        yield yata


async def test_the_answer_has_the_shape_of_yata(yata):
    response = await yata.token()

    document = response.json()
    assert response.status_code == 200
    assert re.fullmatch(r"[\w-]{43}", document.pop("access_token"))
    assert document == {"token_type": "Bearer", "expires_in": 3600, "scope": BOTH_SCOPES}


@pytest.mark.parametrize(
    "document",
    [{"grant_type": "client_credentials", "scope": "todos:read"}, {"scope": "todos:read"}],
)
async def test_a_request_may_come_as_json(yata, document):
    response = await yata.http.post("/oauth/token", json=document, auth=CREDENTIALS)

    assert response.status_code == 200
    assert response.json()["scope"] == "todos:read"


@pytest.mark.parametrize("credentials", [("client-1", "wrong"), ("client-1", ""), ("nobody", "x")])
async def test_a_client_that_cannot_prove_itself_is_refused(yata, credentials):
    response = await yata.token(credentials)

    assert response.status_code == 401
    assert response.json() == {"detail": "Invalid client credentials"}
    assert response.headers["www-authenticate"] == "Basic"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic /w=="},
        {"Authorization": "Basic bm8tY29sb24="},
    ],
)
async def test_credentials_are_taken_from_http_basic_alone(yata, headers):
    form = {"client_id": "client-1", "client_secret": "secret-1"}

    response = await yata.http.post("/oauth/token", data=form, headers=headers)

    assert response.status_code == 401
    assert response.json() == {"detail": "Not authenticated"}
    assert response.headers["www-authenticate"] == "Basic"


@pytest.mark.parametrize("credentials", [CREDENTIALS, ("nobody", "x")])
async def test_another_grant_type_is_refused_whoever_asks(yata, credentials):
    response = await yata.token(credentials, grant_type="password")

    assert response.status_code == 400
    assert response.json() == {"detail": "Unsupported grant type"}


async def test_a_scope_that_the_client_may_not_have_is_refused_by_name(yata):
    response = await yata.token(scope="todos:read todos:admin")

    assert response.status_code == 400
    assert response.json() == {"detail": "Invalid scope: todos:admin"}


async def test_an_access_token_without_scopes_opens_nothing(yata):
    issued = await yata.token(scope="")
    todos = await yata.signed_in(scope="")

    listed = await todos.get("/todos/")

    assert issued.json()["scope"] == ""
    assert listed.status_code == 403


@pytest.mark.parametrize(
    ("body", "content_type", "problem"),
    [
        (b"", "application/json", {"type": "missing", "loc": ["body"], "input": None}),
        (b"{", "application/json", {"type": "json_invalid", "loc": ["body", 1], "input": {}}),
        (
            b"[]",
            "application/json",
            {"type": "model_attributes_type", "loc": ["body"], "input": []},
        ),
        (
            b'{"scope": 3}',
            "application/json",
            {"type": "string_type", "loc": ["body", "scope"], "input": 3},
        ),
        (b"{}", "text/plain", {"type": "model_attributes_type", "loc": ["body"], "input": "{}"}),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused_as_fastapi_does(
    yata, body, content_type, problem
):
    headers = {"Content-Type": content_type}
    response = await yata.http.post("/oauth/token", content=body, auth=CREDENTIALS, headers=headers)

    assert response.status_code == 422
    (told,) = response.json()["detail"]
    assert {name: told[name] for name in problem} == problem
    assert told["msg"]


async def test_a_body_that_is_no_text_is_refused_with_400(yata):
    headers = {"Content-Type": "application/json"}
    response = await yata.http.post(
        "/oauth/token", content=b"\xff", auth=CREDENTIALS, headers=headers
    )

    assert response.status_code == 400
    assert response.json() == {"detail": "There was an error parsing the body"}


async def test_an_access_token_is_good_for_an_hour(yata, clock):
    todos = await yata.signed_in()

    clock.advance(timedelta(minutes=60, seconds=-1))
    before = await todos.get("/todos/")
    clock.advance(timedelta(seconds=1))
    after = await todos.get("/todos/")

    assert (before.status_code, after.status_code) == (200, 401)
    assert after.json() == {"detail": "Invalid or expired token"}
    assert after.headers["www-authenticate"] == "Bearer"


async def test_a_new_access_token_ends_the_one_before(yata):
    first = await yata.signed_in()
    second = await yata.signed_in()

    statuses = [(await todos.get("/todos/")).status_code for todos in (first, second)]

    assert statuses == [401, 200]


async def test_each_client_has_an_access_token_of_its_own(yata):
    first = await yata.signed_in(CREDENTIALS)
    second = await yata.signed_in(OTHER_CREDENTIALS)

    statuses = [(await todos.get("/todos/")).status_code for todos in (first, second)]

    assert statuses == [200, 200]


async def test_a_refused_request_leaves_the_access_token_alone(yata):
    todos = await yata.signed_in()

    await yata.token(scope="todos:admin")

    assert (await todos.get("/todos/")).status_code == 200


async def test_an_inactive_client_is_refused_everywhere_until_it_is_active_again(yata):
    todos = await yata.signed_in()

    yata.simulator.deactivate_client("client-1")
    refused = [(await todos.get("/todos/")).status_code, (await yata.token()).status_code]
    others = await yata.token(OTHER_CREDENTIALS)
    yata.simulator.activate_client("client-1")

    assert refused == [401, 401]
    assert others.status_code == 200
    assert (await yata.token()).status_code == 200


async def test_an_access_token_can_be_dropped_before_its_time(yata):
    dropped, kept = await yata.signed_in(CREDENTIALS), await yata.signed_in(OTHER_CREDENTIALS)

    yata.simulator.drop_access_tokens("client-1")
    statuses = [(await todos.get("/todos/")).status_code for todos in (dropped, kept)]
    yata.simulator.drop_access_tokens()

    assert statuses == [401, 200]
    assert (await kept.get("/todos/")).status_code == 401
