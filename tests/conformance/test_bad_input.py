"""No header, path, method, query, body or code makes a function fail, or changes anything.

BAD_INPUT_TIMES=50 in the environment tries fifty times as many inputs.
"""

import json
import uuid
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.conformance.refusals import Everything, assert_refused, inputs, words
from tests.conformance.strategies import (
    MEBIBYTE,
    accepted,
    almost_codes,
    almost_ids,
    bodies,
    header_values,
    long_header_values,
    paths,
    queries,
    segments,
    texts,
)
from tests.fixtures.deployment import AUTH_ORIGIN, CALLBACK_ORIGIN, MCP_ORIGIN, Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.raw_http import ServedDeployment, served
from tests.fixtures.signed_in import WITHOUT_CODE, signed_in

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get"}
PATHS = [
    (MCP_ORIGIN, "/", "POST"),
    (MCP_ORIGIN, "/mcp", "POST"),
    (MCP_ORIGIN, "/mcp?Session-ID=x", "POST"),
    (MCP_ORIGIN, "/tools", "GET"),
    (MCP_ORIGIN, "/tools/create_rally_story", "POST"),
    (MCP_ORIGIN, "/tools/nonsense", "POST"),
    (MCP_ORIGIN, "/openapi.json", "GET, HEAD"),
    (MCP_ORIGIN, "/health", "GET, HEAD"),
    (MCP_ORIGIN, "/mcp/health", "GET, HEAD"),
    (AUTH_ORIGIN, "/auth", "GET"),
    (AUTH_ORIGIN, "/health", "GET, HEAD"),
    (AUTH_ORIGIN, "/auth/health", "GET, HEAD"),
    (CALLBACK_ORIGIN, "/callback", "GET"),
    (CALLBACK_ORIGIN, "/oauth/callback", "GET"),
    (CALLBACK_ORIGIN, "/health", "GET, HEAD"),
    (CALLBACK_ORIGIN, "/callback/health", "GET, HEAD"),
]
OTHER_HEADERS = [
    *(b"host", b"origin", b"accept", b"accept-language", b"cookie", b"authorization", b"range"),
    *(b"content-type", b"content-length", b"content-encoding", b"transfer-encoding"),
    *(b"x-forwarded-for", b"x-cloud-trace-context", b"traceparent"),
]
BROWSER_PATHS = [(AUTH_ORIGIN, b"/auth"), (CALLBACK_ORIGIN, b"/callback")]


@pytest.fixture
async def everything(deploy: Callable[..., Deployment]) -> ServedDeployment:
    return served(deploy(**WITHOUT_CODE))


@pytest.fixture
async def ann(everything: ServedDeployment) -> list[tuple[bytes, bytes]]:
    """The headers of a chat that is signed in."""
    chat = await signed_in(everything)
    return [
        (b"session-id", chat.session_id.encode()),
        (b"content-type", b"application/json"),
        (b"accept", b"application/json"),
    ]


@pytest.mark.parametrize("path", ["/tools/get_rally_user", "/mcp", "/tools"])
@inputs(50)
@given(value=header_values | long_header_values)
@example(value=b"${" + b"a" * 9000)
@example(value=b"%" + b"a" * 9000)
async def test_no_session_id_makes_a_function_fail(everything, path, value):
    before = await Everything.of(everything)
    method = "GET" if path == "/tools" else "POST"

    answer = await everything.send(method, path.encode(), [(b"session-id", value)], b"{}")

    assert_refused(answer, *[value.decode("latin-1")] if len(value) > 3 else [])
    assert await Everything.of(everything) == before


@pytest.mark.parametrize("origin", [MCP_ORIGIN, AUTH_ORIGIN, CALLBACK_ORIGIN])
@inputs(70)
@given(
    method=st.sampled_from(sorted(METHODS - {"HEAD"})),
    start=st.sampled_from([b"/", b"/tools/", b"/mcp/", b"/auth/", b"/callback/", b"//evil.test/"]),
    path=paths,
    host=st.sampled_from([b"127.0.0.1:8080", b"[", b"evil.test/callback?", b""]),
    accept=accepted,
)
async def test_no_path_makes_a_function_fail(everything, origin, method, start, path, host, accept):
    before = await Everything.of(everything)
    session_id = (b"session-id", str(uuid.uuid4()).encode())
    headers = [session_id, (b"host", host), (b"accept", accept)]

    answer = await everything.send(method, start + path, headers, b'{"x": 1}', origin=origin)

    assert_refused(answer)
    assert await Everything.of(everything) == before


@pytest.mark.parametrize(("origin", "path", "allowed"), PATHS)
async def test_every_other_method_is_refused_with_those_that_are_allowed(
    everything, origin, path, allowed
):
    for method in sorted(METHODS - set(allowed.split(", "))):
        answer = await everything.send(method, path.encode(), origin=origin)

        assert answer.status_code == 405
        assert set(answer.headers["allow"].split(", ")) == set(allowed.split(", "))
        assert method == "HEAD" or words(answer)


@inputs(150)
@given(
    headers=st.dictionaries(
        st.sampled_from(OTHER_HEADERS),
        header_values | long_header_values,
    )
)
@example(headers={b"content-length": b"\xb2"})
@example(headers={b"content-length": b"9" * 5000})
@example(headers={b"content-length": b"-1"})
async def test_no_other_header_makes_a_function_fail(everything, headers):
    before = await Everything.of(everything)
    session_id = (b"session-id", str(uuid.uuid4()).encode())

    answer = await everything.send(
        "POST", b"/tools/get_rally_user", [session_id, *headers.items()], b'{"x": 1}'
    )

    assert_refused(answer)
    assert await Everything.of(everything) == before


@pytest.mark.parametrize("tool", ["create_rally_story", "get_rally_issue", "complete_sign_in"])
@inputs(100)
@given(body=bodies)
async def test_no_body_makes_a_tool_fail(everything, ann, tool, body):
    before = await Everything.of(everything)

    answer = await everything.send("POST", f"/tools/{tool}".encode(), ann, body)

    after = await Everything.of(everything)
    if answer.status_code == 200:
        assert after.rows == before.rows
        assert after.writes == before.writes + (tool == "create_rally_story")
    else:
        assert_refused(answer)
        assert after == before


@inputs(150)
@given(title=texts, description=texts)
async def test_a_text_reaches_rally_as_it_is_or_is_refused(everything, ann, title, description):
    before = await Everything.of(everything)
    body = json.dumps({"title": title, "description": description}).encode()

    answer = await everything.send("POST", b"/tools/create_rally_story", ann, body)

    if answer.status_code == 200:
        assert title_in_rally(everything, answer).strip() == title.strip()
    else:
        assert_refused(answer)
        assert await Everything.of(everything) == before


@inputs(100)
@given(project=texts)
async def test_no_project_makes_a_tool_fail(everything, ann, project):
    before = await Everything.of(everything)
    body = json.dumps({"title": "x", "project": project}).encode()

    answer = await everything.send("POST", b"/tools/create_rally_story", ann, body)

    assert_refused(answer)
    assert await Everything.of(everything) == before


@inputs(100)
@given(formatted_id=texts | almost_ids)
async def test_no_formatted_id_makes_a_tool_fail(everything, ann, formatted_id):
    body = json.dumps({"formatted_id": formatted_id}).encode()

    answer = await everything.send("POST", b"/tools/get_rally_issue", ann, body)

    assert_refused(answer)


@inputs(100)
@given(code=texts | almost_codes)
async def test_no_confirmation_code_makes_the_sign_in_fail(deployment, code):
    everything = served(deployment)
    chat = [(b"session-id", str(uuid.uuid4()).encode())]

    answer = await everything.send(
        "POST", b"/tools/complete_sign_in", chat, json.dumps({"code": code}).encode()
    )

    assert_refused(answer)


@pytest.mark.parametrize(("origin", "path"), BROWSER_PATHS)
@inputs(100)
@given(query=queries, accept=accepted)
async def test_no_query_makes_a_browser_function_fail(everything, origin, path, query, accept):
    before = await Everything.of(everything)

    answer = await everything.send("GET", path + b"?" + query, [(b"accept", accept)], origin=origin)

    assert_refused(answer)
    assert await Everything.of(everything) == before


@inputs(100)
@given(challenge=segments, method=segments, accept=accepted)
async def test_no_challenge_but_the_own_one_leads_to_rally(everything, challenge, method, accept):
    chat = everything.caller()
    state = parse_qs(urlsplit(await chat.auth_url()).query)["state"][0].encode()
    query = b"state=%s&code_challenge=%s&code_challenge_method=%s" % (state, challenge, method)

    answer = await everything.send(
        "GET", b"/auth?" + query, [(b"accept", accept)], origin=AUTH_ORIGIN
    )

    assert_refused(answer, state.decode())


@pytest.mark.parametrize("path", ["/tools/get_rally_user", "/mcp", "/"])
@pytest.mark.parametrize(
    ("chunks", "headers"),
    [
        ([b" " * (MEBIBYTE + 1)], []),
        ([b" " * (MEBIBYTE + 1)], [(b"content-length", b"2")]),
        ([b" " * 1024] * 1025, []),
        ([b"{}"], [(b"content-length", str(MEBIBYTE + 1).encode())]),
    ],
    ids=["in one piece", "declared as small", "in chunks", "declared only"],
)
async def test_more_than_one_mebibyte_is_too_large(everything, ann, path, chunks, headers):
    answer = await everything.send("POST", path.encode(), [*ann, *headers], chunks)

    assert_refused(answer)
    assert answer.status_code == 413


async def test_one_mebibyte_is_not_too_large(everything, ann):
    body = b"{}".ljust(MEBIBYTE)

    answers = [
        await everything.send("POST", b"/tools/get_rally_user", ann, sent)
        for sent in (body, [body[:1], body[1:]])
    ]

    assert [answer.status_code for answer in answers] == [200, 200]


@pytest.mark.parametrize("path", ["/tools/get_rally_user", "/mcp"])
async def test_a_client_that_goes_away_is_no_failure_of_ours(everything, ann, path):
    with written_log() as log:
        await everything.send("POST", path.encode(), ann, b'{"x"', cut_off=True)

    assert [line for line in log.lines if line["severity"] == "ERROR"] == []


def title_in_rally(deployment: ServedDeployment, answer: httpx.Response) -> str:
    """Return the name of the story that an answer tells of, as Rally holds it."""
    rally = deployment.rally
    story = rally.objects.find(int(answer.json()["story"]["id"]), rally.users["ann"])
    assert story is not None
    return story.name
