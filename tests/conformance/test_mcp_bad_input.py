"""What the MCP endpoint answers to messages that are wrong, in both eras of the protocol.

BAD_INPUT_TIMES=50 in the environment tries fifty times as many inputs.
"""

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.refusals import Everything, assert_clear, inputs, words
from tests.conformance.strategies import documents, header_values
from tests.fixtures.deployment import Deployment
from tests.fixtures.raw_http import ServedDeployment, served
from tests.fixtures.raw_mcp import LEGACY, META, MODERN, headers_of, message_of, send

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
HEADER_MISMATCH, UNSUPPORTED_VERSION = -32020, -32022

HEADERS = [
    *("accept", "content_type", "host", "origin", "last_event_id", "mcp_session_id"),
    *("mcp_protocol_version", "mcp_method", "mcp_name", "mcp_param_x"),
]

both_eras = pytest.mark.parametrize("era", [LEGACY, MODERN])

MEMBERS = st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "\x00"])
METHODS = st.sampled_from(["tools/list", "tools/call", "initialize", "ping", "x" * 9000])

envelopes = st.builds(
    lambda method, wrong, missing: {
        name: value
        for name, value in (message_of(MODERN, method) | wrong).items()
        if name not in missing
    },
    METHODS,
    st.dictionaries(MEMBERS, documents, max_size=2),
    st.sets(MEMBERS, max_size=1),
)


@pytest.fixture
def endpoint(deployment: Deployment) -> ServedDeployment:
    return served(deployment)


def code_of(answer: httpx.Response) -> int:
    """Return the code of a JSON-RPC error that is as the specification wants it."""
    document = answer.json()

    assert document["jsonrpc"] == "2.0"
    assert "id" in document
    assert_clear(answer)
    return int(document["error"]["code"])


def assert_refused_or_dropped(answer: httpx.Response, message: object) -> None:
    """Fail unless the sender of a request is told what is wrong with it.

    What awaits no answer may be dropped: a notification, or an answer that nobody asked for.
    """
    if answer.status_code == 202:
        assert isinstance(message, dict)
        assert "id" not in message or message.keys() & {"result", "error"}
        assert answer.content == b""
    elif answer.status_code == 200:
        assert "error" not in answer.json() or code_of(answer)
    else:
        assert 400 <= answer.status_code < 500
        assert code_of(answer)


@both_eras
@pytest.mark.parametrize("path", [b"/mcp", b"/"])
@inputs(40)
@given(body=st.binary(max_size=60) | documents.map(json.dumps).map(str.encode))
async def test_what_is_no_message_is_refused(endpoint, era, path, body):
    before = await Everything.of(endpoint)

    answer = await endpoint.send("POST", path, headers_of(era, None), body)

    assert answer.status_code == 400
    assert code_of(answer) in {PARSE_ERROR, INVALID_REQUEST}
    assert await Everything.of(endpoint) == before


@both_eras
@inputs(100)
@given(message=envelopes)
async def test_no_envelope_makes_the_endpoint_fail(endpoint, era, message):
    before = await Everything.of(endpoint)

    answer = await send(endpoint, era, message)

    assert_refused_or_dropped(answer, message)
    assert await Everything.of(endpoint) == before


@both_eras
@inputs(60)
@given(
    changed=st.dictionaries(
        st.sampled_from(HEADERS),
        st.none() | header_values.map(lambda value: value.decode("latin-1")),
    )
)
async def test_no_header_makes_the_endpoint_fail(endpoint, era, changed):
    answer = await send(endpoint, era, message_of(era, "tools/list"), **changed)

    assert_refused_or_dropped(answer, None)


@both_eras
@inputs(40)
@given(
    tool=st.sampled_from(["create_rally_story", "get_rally_issue", "complete_sign_in", "sign_out"]),
    arguments=st.dictionaries(
        st.sampled_from(["title", "formatted_id", "x"]), documents, min_size=1
    ),
)
async def test_wrong_arguments_are_a_tool_error(endpoint, era, tool, arguments):
    before = await Everything.of(endpoint)
    wrong = {**arguments, "surely_not_an_argument": 1}

    answer = await send(
        endpoint, era, message_of(era, "tools/call", {"name": tool, "arguments": wrong})
    )

    assert answer.status_code == 200
    assert answer.json()["result"]["isError"] is True
    assert_clear(answer)
    assert await Everything.of(endpoint) == before


@both_eras
@pytest.mark.parametrize("identifier", [None, True, 1.5, 1.0, [], {}, [1]])
async def test_an_id_of_a_wrong_type_is_refused(endpoint, era, identifier):
    answer = await send(endpoint, era, message_of(era, "tools/list", id=identifier))

    assert answer.status_code == 400
    assert code_of(answer) == INVALID_REQUEST


@both_eras
@pytest.mark.parametrize("count", [0, 1, 2])
async def test_a_batch_is_refused(endpoint, era, count):
    answer = await send(endpoint, era, [message_of(era, "tools/list")] * count)

    assert answer.status_code == 400
    assert code_of(answer) == INVALID_REQUEST
    assert "no batch" in words(answer)


@pytest.mark.parametrize(("era", "status"), [(LEGACY, 200), (MODERN, 404)])
@pytest.mark.parametrize(
    "method", ["nonsense", "resources/list", "prompts/list", "subscriptions/listen", "tools/List"]
)
async def test_an_unknown_method_is_not_found_and_opens_no_stream(endpoint, era, status, method):
    params = {"notifications": {"toolsListChanged": True}}

    answer = await send(endpoint, era, message_of(era, method, params))

    assert answer.status_code == status
    assert code_of(answer) == METHOD_NOT_FOUND


@pytest.mark.parametrize(("era", "status"), [(LEGACY, 200), (MODERN, 400)])
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/list", {"cursor": "x"}),
        ("tools/list", {"cursor": 1}),
        ("tools/call", {"name": "nonsense", "arguments": {}}),
        ("tools/call", {"name": "create_story", "arguments": {"title": "x"}}),
        ("tools/call", {"name": "sign_out", "arguments": [1]}),
        ("tools/call", {"name": "sign_out", "arguments": "x"}),
        ("tools/call", {"arguments": {}}),
        ("tools/call", {"name": ["sign_out"]}),
    ],
)
async def test_wrong_parameters_are_refused(endpoint, era, status, method, params):
    before = await Everything.of(endpoint)

    answer = await send(endpoint, era, message_of(era, method, params))

    assert answer.status_code == status
    assert code_of(answer) in {INVALID_PARAMS, HEADER_MISMATCH}
    assert await Everything.of(endpoint) == before


@both_eras
@pytest.mark.parametrize("method", ["notifications/initialized", "notifications/x", "tools/call"])
async def test_a_notification_is_taken_and_nothing_comes_of_it(endpoint, era, method):
    before = await Everything.of(endpoint)
    message = message_of(era, method, {"name": "get_rally_user"})
    del message["id"]

    answer = await send(endpoint, era, message)

    assert (answer.status_code, answer.content) == (202, b"")
    assert await Everything.of(endpoint) == before


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"mcp_method": "tools/call"}, HEADER_MISMATCH),
        ({"mcp_method": None}, HEADER_MISMATCH),
        ({"mcp_name": "get_rally_user"}, HEADER_MISMATCH),
        ({"mcp_name": None}, HEADER_MISMATCH),
        ({"mcp_protocol_version": "2030-01-01"}, HEADER_MISMATCH),
        ({"mcp_protocol_version": ""}, HEADER_MISMATCH),
    ],
)
async def test_headers_that_say_something_else_than_the_body_are_refused(endpoint, changed, code):
    message = message_of(MODERN, "tools/call", {"name": "sign_out"})
    if "mcp_method" in changed:
        message = message_of(MODERN, "tools/list")

    answer = await send(endpoint, MODERN, message, **changed)

    assert answer.status_code == 400
    assert code_of(answer) == code


async def test_a_version_of_the_protocol_that_nobody_knows_is_refused_with_those_that_are(endpoint):
    meta = {**META, "io.modelcontextprotocol/protocolVersion": "2030-01-01"}
    message = message_of(MODERN, "tools/list", {"_meta": meta})

    answer = await send(endpoint, MODERN, message, mcp_protocol_version="2030-01-01")

    assert answer.status_code == 400
    assert code_of(answer) == UNSUPPORTED_VERSION
    assert answer.json()["error"]["data"]["supported"] == [MODERN]


@both_eras
async def test_a_client_that_names_no_media_type_is_given_json(endpoint, era):
    answer = await send(endpoint, era, message_of(era, "tools/list"), accept=None)

    assert answer.status_code == 200
    assert len(answer.json()["result"]["tools"]) == 7


@both_eras
@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"content_type": "text/plain"}, 415),
        ({"content_type": None}, 415),
        ({"accept": "text/html"}, 406),
        ({"host": "evil.example"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"session_id": None}, 401),
        ({"session_id": None, "authorization": "Bearer x"}, 401),
        ({"session_id": None, "authorization": "Basic eDp5"}, 401),
        ({"authorization": "Bearer x"}, 400),
    ],
)
async def test_a_request_that_is_wrong_in_form_is_refused_in_words(endpoint, era, changed, status):
    before = await Everything.of(endpoint)
    message = message_of(era, "tools/call", {"name": "get_rally_user"})

    answer = await send(endpoint, era, message, **changed)

    assert answer.status_code == status
    assert code_of(answer) == INVALID_REQUEST
    assert await Everything.of(endpoint) == before


@both_eras
async def test_a_session_id_in_the_url_is_refused_beside_a_good_one(endpoint, era):
    message = message_of(era, "tools/list")
    target = b"/mcp?session_id=x"

    answer = await endpoint.send(
        "POST", target, headers_of(era, message), json.dumps(message).encode()
    )

    assert answer.status_code == 400
    assert code_of(answer) == INVALID_REQUEST


@both_eras
@pytest.mark.parametrize("path", [b"/mcp", b"/"])
async def test_a_message_may_come_in_pieces_and_to_either_path(endpoint, era, path):
    message = message_of(era, "tools/list")
    body = json.dumps(message).encode().ljust(1024 * 1024)

    answer = await endpoint.send("POST", path, headers_of(era, message), [body[:7], b"", body[7:]])

    assert answer.status_code == 200
    assert len(answer.json()["result"]["tools"]) > 1
