"""Requests to /token and /revoke that are wrong in form: each answer is RFC 6749 §5.2's."""

import base64
from collections.abc import Sequence
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.conformance.refusals import Everything, inputs
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import AUTH_ORIGIN, Deployment
from tests.fixtures.oauth_client import REDIRECT_URI, RESOURCE, OAuthClient, new_client
from tests.fixtures.raw_http import served
from tests.fixtures.token_answers import error_of, is_kept_nowhere

FORM = "application/x-www-form-urlencoded"
MEDIA_TYPE = (b"content-type", FORM.encode())
LARGEST = 64 * 1024
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NOBODY = "rmcp_pc_0123456789abcdef"

INVALID_REQUEST = (400, "invalid_request")
INVALID_CLIENT = (401, "invalid_client")

both_endpoints = pytest.mark.parametrize("path", ["/token", "/revoke"])

Fields = dict[str, str]


@pytest.fixture
async def client(deploy) -> OAuthClient:
    client = new_client(deploy(RATE_LIMITS="off"))
    await client.register()
    return client


@pytest.fixture
async def form(client: OAuthClient) -> Fields:
    """A form that both endpoints take, /revoke ignoring all but the last field."""
    return {
        "client_id": client.client_id,
        "grant_type": "authorization_code",
        "code": (await client.authorize())["code"],
        "redirect_uri": REDIRECT_URI,
        "code_verifier": client.code_verifier,
        "resource": RESOURCE,
        "token": "unknown",
    }


def basic(client_id: str, client_secret: str) -> str:
    """Return the header of client_secret_basic (RFC 6749 §2.3.1)."""
    pair = f"{quote(client_id, safe='')}:{quote(client_secret, safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


async def send(
    client: OAuthClient,
    path: str,
    fields: Fields | Sequence[tuple[str, str]] | bytes,
    method: str = "POST",
    **headers: str,
) -> httpx.Response:
    """Send a form, or whatever the bytes are."""
    content = fields if isinstance(fields, bytes) else urlencode(fields)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.instance.programs.request(
        method, f"{AUTH_ORIGIN}{path}", content=content, headers={"content-type": FORM, **named}
    )


@both_endpoints
@pytest.mark.parametrize("charset", ["", "; charset=UTF-8", ";charset=utf-8"])
async def test_a_form_is_taken_and_what_it_says_beyond_the_rfcs_is_ignored(
    client, form, path, charset
):
    answer = await send(client, path, {**form, "device": "x"}, content_type=f"{FORM}{charset}")

    assert answer.status_code == 200
    assert is_kept_nowhere(answer)


@both_endpoints
@pytest.mark.parametrize(
    "media_type", ["", "application/json", "multipart/form-data; boundary=x", "text/plain"]
)
async def test_another_media_type_is_refused(client, form, path, media_type):
    answer = await send(client, path, form, content_type=media_type)

    assert error_of(answer) == INVALID_REQUEST


@both_endpoints
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_another_method_is_405(client, form, path, method):
    answer = await send(client, path, form, method)

    assert error_of(answer) == (405, "invalid_request")
    assert answer.headers["allow"] == "POST"


@both_endpoints
@pytest.mark.parametrize("in_the_url", ["client_id", "code", "token", "access_token", "x"])
async def test_parameters_in_the_url_are_refused_and_not_repeated(client, form, path, in_the_url):
    answer = await send(client, f"{path}?{in_the_url}={form['code']}", form)

    assert error_of(answer) == INVALID_REQUEST
    assert form["code"] not in answer.text


@both_endpoints
@requirement("B9")
@pytest.mark.parametrize("twice", ["client_id", "grant_type", "code", "token", "resource"])
async def test_a_parameter_that_comes_twice_is_refused_even_with_one_value(
    client, form, path, twice
):
    answer = await send(client, path, [*form.items(), (twice, form[twice])])

    assert error_of(answer) == INVALID_REQUEST


@both_endpoints
@pytest.mark.parametrize("empty", ["client_secret", "client_assertion", "redirect_uri", "resource"])
async def test_a_parameter_without_a_value_counts_as_left_out(client, form, path, empty):
    answer = await send(client, path, {**form, empty: ""})  # RFC 6749 §3.2

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("missing", "refused"),
    [
        ("grant_type", INVALID_REQUEST),
        ("code", INVALID_REQUEST),
        ("code_verifier", INVALID_REQUEST),
        ("refresh_token", INVALID_REQUEST),
        ("client_id", INVALID_CLIENT),
    ],
)
@pytest.mark.parametrize("how", ["left out", "empty"])
async def test_a_token_request_that_lacks_something_is_told_so(client, form, missing, refused, how):
    kind = {"grant_type": "refresh_token"} if missing == "refresh_token" else {}
    given = form | kind | {missing: ""}
    if how == "left out":
        del given[missing]

    answer = await send(client, "/token", given)

    assert error_of(answer) == refused


@pytest.mark.parametrize(
    ("grant_type", "code"),
    [
        ("password", "unsupported_grant_type"),
        ("implicit", "unsupported_grant_type"),
        ("urn:ietf:params:oauth:grant-type:device_code", "unsupported_grant_type"),
        ("AUTHORIZATION_CODE", "unsupported_grant_type"),
        ("client_credentials", "unauthorized_client"),
    ],
)
async def test_a_grant_type_that_is_not_the_clients_is_refused(client, form, grant_type, code):
    answer = await send(client, "/token", {**form, "grant_type": grant_type})

    assert error_of(answer) == (400, code)


@requirement("B15", "B26")
@both_endpoints
@pytest.mark.parametrize(
    "client_id",
    [NOBODY, "rmcp_mc_0123456789abcdef", "rmcp_cl_bm9wZQ", "rmcp_cl_", "x" * 5000, "ä", "\x00"],
    ids=["registered", "machine", "made up", "prefix", "long", "umlaut", "NUL"],
)
async def test_an_unknown_client_is_401_without_a_challenge(client, form, path, client_id):
    answer = await send(client, path, {**form, "client_id": client_id})

    assert error_of(answer) == INVALID_CLIENT
    assert "www-authenticate" not in answer.headers


@requirement("B15")
@both_endpoints
@pytest.mark.parametrize(
    "authorization",
    [
        basic(NOBODY, "wrong"),
        basic(NOBODY, ""),
        "basic " + basic(NOBODY, "wrong")[6:],
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
        "Bearer rmcp_at_x",
        "",
    ],
)
async def test_a_client_that_fails_by_basic_is_challenged_to_basic(
    client, form, path, authorization
):
    del form["client_id"]

    answer = await send(client, path, form, authorization=authorization)

    assert error_of(answer) == INVALID_CLIENT
    assert answer.headers["www-authenticate"].startswith("Basic realm=")


@both_endpoints
async def test_a_public_client_that_sends_a_secret_is_refused(client, form, path):
    by_post = await send(client, path, {**form, "client_secret": "x"})
    by_basic = await send(client, path, form, authorization=basic(client.client_id, "x"))

    assert error_of(by_post) == error_of(by_basic) == INVALID_CLIENT


@requirement("C2")
@both_endpoints
@pytest.mark.parametrize(
    ("second", "by_basic"),
    [
        ({"client_secret": "x"}, True),
        ({"client_assertion": "x", "client_assertion_type": ASSERTION_TYPE}, True),
        ({"client_assertion_type": ASSERTION_TYPE}, True),
        ({"client_secret": "x", "client_assertion": "x"}, False),
        ({"client_id": NOBODY}, True),
    ],
    ids=["secret", "assertion", "type of assertion", "secret and assertion", "another name"],
)
async def test_two_ways_of_client_authentication_are_refused(client, form, path, second, by_basic):
    headers = {"authorization": basic(client.client_id, "x")} if by_basic else {}

    answer = await send(client, path, {**form, **second}, **headers)

    assert error_of(answer) == INVALID_REQUEST


@both_endpoints
async def test_two_authorization_headers_are_refused(deployment: Deployment, path):
    endpoint = served(deployment)
    headers = [MEDIA_TYPE, *[(b"authorization", b"Basic eDp4")] * 2]

    answer = await endpoint.send("POST", path.encode(), headers, b"token=x", origin=AUTH_ORIGIN)

    assert error_of(answer) == INVALID_REQUEST


@both_endpoints
@pytest.mark.parametrize("length", [[], [(b"content-length", b"%d" % (LARGEST + 6))]])
async def test_a_form_that_is_too_large_is_413(deployment: Deployment, path, length):
    endpoint = served(deployment)
    headers, body = [MEDIA_TYPE, *length], [b"token=", b"x" * LARGEST]

    answer = await endpoint.send("POST", path.encode(), headers, body, origin=AUTH_ORIGIN)

    assert error_of(answer) == (413, "invalid_request")


NAMES = "grant_type code code_verifier redirect_uri resource scope client_id refresh_token token"
SECRET_NAMES = "client_secret client_assertion client_assertion_type"
WORDS = ["authorization_code", "refresh_token", "client_credentials", NOBODY, ASSERTION_TYPE]
FIELDS = st.tuples(
    st.sampled_from(f"{NAMES} {SECRET_NAMES}".split()),
    st.text(max_size=30) | st.sampled_from(WORDS),
)
BODIES = st.binary(max_size=80) | st.lists(FIELDS, max_size=8).map(
    lambda fields: urlencode(fields, errors="surrogatepass").encode()
)


@both_endpoints
@inputs(150)
@example(body=b"token=%ff")
@example(body=b"token=\xff")
@example(body=b"&".join([b"a%d=1" % number for number in range(101)]))
@example(body=b"client_id=https%3A%2F%2F127.0.0.1%2Fclient&token=x&grant_type=refresh_token")
@given(body=BODIES)
async def test_no_body_makes_an_endpoint_fail(client, path, body):
    before = await Everything.of(client.deployment)

    answer = await send(client, path, body)

    if (answer.status_code, path) != (200, "/revoke"):
        assert error_of(answer)[0] in {400, 401}
    assert await Everything.of(client.deployment) == before


async def test_strangers_who_fail_keep_no_public_client_of_the_same_address_out(deployment):
    client = new_client(deployment)
    tokens = await client.sign_in()
    for _ in range(10):
        await client.token(client_id=NOBODY, grant_type="refresh_token", refresh_token="x")

    answer = await client.refresh(tokens["refresh_token"])

    assert answer.status_code == 200
