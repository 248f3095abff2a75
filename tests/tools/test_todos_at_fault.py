"""A YATA backend that refuses, fails, is slow or gone: what a caller is told, and what is sent."""

import httpx
import pytest

from devtools.yata_simulator import Fault
from tests.fixtures.deployment import CLIENT_ID
from tests.fixtures.rally_wire import answers, fails, loses_answer

TODOS = "/api/v1/todos/"
DOUBT = "Whether YATA carried it out is not known"


@pytest.fixture
def deployment(deploy_with):
    return deploy_with("yata")


@pytest.fixture
def chat(deployment):
    return deployment.caller()


@pytest.fixture
def wired_chat(wired_deployment):
    return wired_deployment.caller(instance=-1)


@pytest.mark.parametrize(
    ("expected", "status"), [(403, 403), (429, 429), (503, 500), (503, 503), (504, 504), (502, 418)]
)
async def test_a_refusal_or_failure_of_the_backend_is_told_as_what_it_is(
    chat, yata, expected, status
):
    yata.faults.add(Fault(path_prefix=TODOS, status=status, retry_after=30))

    answer = await chat.call("list_todos")

    assert answer.status_code == expected
    assert answer.json()["error"] == "Failed to list todos"
    assert (answer.headers.get("retry-after") == "30") == (expected in {429, 503})
    assert yata.stats.api_requests == {"GET /todos/": 1}


@pytest.mark.parametrize("pause", [b"soon", b"-1", b"\xb2", b"9" * 5000])
async def test_a_pause_that_cannot_be_read_counts_as_ten_seconds(wired_chat, wire, pause):
    wire.disturb("GET", TODOS, answers("busy", 429, Retry_After=pause))

    answer = await wired_chat.call("list_todos")

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "10"


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    ("detail", "reason"),
    [
        ([{"loc": ["body", "title"], "msg": "Too\nrude\u202e"}], "title: Too rude"),
        ("Too rude", "Too rude"),
        ({"why": "rude"}, "it does not say why"),
    ],
)
async def test_what_the_backend_does_not_accept_is_a_400_in_its_words(
    wired_chat, wire, status, detail, reason
):
    wire.disturb("POST", TODOS, answers({"detail": detail}, status))

    answer = await wired_chat.call("create_todo", title="Rude")

    assert answer.status_code == 400
    assert answer.json()["message"] == f"YATA refused this: {reason}"


@pytest.mark.parametrize("body", ["truncated", "html"])
@pytest.mark.parametrize("tool", ["list_todos", "create_todo"])
async def test_an_answer_that_cannot_be_read_is_a_502(chat, yata, tool, body):
    yata.faults.add(Fault(path_prefix=TODOS, body=body, after_effect=True))

    answer = await chat.call(tool, **({"title": "Once"} if tool == "create_todo" else {}))

    assert answer.status_code == 502
    assert (DOUBT in answer.json()["message"]) == (tool == "create_todo")


@pytest.mark.parametrize(
    ("expected", "disturbance"),
    [
        (503, fails(httpx.ConnectError)),
        (503, fails(httpx.ConnectTimeout)),
        (503, loses_answer(httpx.ReadError)),
        (504, loses_answer(httpx.ReadTimeout)),
    ],
)
async def test_a_write_is_sent_once_and_told_as_in_doubt_where_it_may_have_happened(
    wired_chat, wire, yata, expected, disturbance
):
    wire.disturb("POST", TODOS, disturbance)

    answer = await wired_chat.call("create_todo", title="Once")

    happened = len(yata.todos.list(CLIENT_ID))
    assert answer.status_code == expected
    assert (DOUBT in answer.json()["message"]) == bool(happened)
    assert len(wire.sent("POST", TODOS)) == 1


async def test_a_read_that_takes_too_long_is_a_504_without_a_doubt(wired_chat, wire):
    wire.disturb("GET", TODOS, fails(httpx.ReadTimeout))

    answer = await wired_chat.call("list_todos")

    assert answer.status_code == 504
    assert DOUBT not in answer.json()["message"]


async def test_an_access_token_that_is_refused_is_renewed_once(chat, yata):
    milk = (await chat.call("create_todo", title="Buy milk")).json()["id"]
    yata.drop_access_tokens()

    answer = await chat.call("get_todo", todo_id=milk)

    assert answer.status_code == 200
    assert yata.stats.issued_tokens == 2
    assert yata.stats.api_requests["GET /todos/{id}"] == 2


async def test_a_backend_that_refuses_every_access_token_is_a_502(chat, yata):
    yata.faults.add(Fault(path_prefix=TODOS, status=401, count=None))

    answer = await chat.call("create_todo", title="Refused")

    assert answer.status_code == 502
    assert yata.stats.issued_tokens == 2
    assert yata.stats.api_requests == {"POST /todos/": 2}


@pytest.mark.parametrize("origin", ["", "http://yata.internal"])
async def test_a_backend_that_wants_no_slash_at_the_end_gets_none(wired_chat, wire, origin):
    elsewhere = f"{origin}{TODOS[:-1]}".encode()
    wire.disturb("POST", TODOS, answers("", 307, Location=elsewhere))
    wire.disturb("POST", TODOS[:-1], answers({"id": "7", "title": "Moved"}))

    answer = await wired_chat.call("create_todo", title="Moved")

    first, second = wire.sent("POST", TODOS[:-1])
    assert answer.json()["id"] == "7"
    assert (second.url.host, second.url.path) == (first.url.host, TODOS[:-1])
    assert (second.content, second.headers["authorization"]) == (
        first.content,
        first.headers["authorization"],
    )


@pytest.mark.parametrize("location", [b"/api/v2/todos", b"http://evil.test/x", b"http://[", b""])
async def test_any_other_redirect_is_not_followed(wired_chat, wire, location):
    wire.disturb("GET", TODOS, answers("", 307, Location=location))

    answer = await wired_chat.call("list_todos")

    assert answer.status_code in {502, 503}
    assert len(wire.sent("GET", "/api")) == 1


async def test_numbers_nulls_and_further_members_are_understood(wired_chat, wire):
    told = {"id": 7, "title": 42, "completed": None, "created_at": None, "owner": {"name": "Ann"}}
    wire.disturb("GET", TODOS, answers(told))

    answer = await wired_chat.call("get_todo", todo_id="7")

    assert answer.json() == {
        "id": "7",
        "title": "42",
        "description": "",
        "completed": False,
        "created_at": "",
        "updated_at": "",
    }
