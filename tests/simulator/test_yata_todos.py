"""YATA's todo API: the five operations, who may call them, and how it refuses."""

import uuid
from datetime import timedelta

import pytest

from tests.fixtures.simulated_yata import OTHER_CREDENTIALS, simulated_yata

NOBODYS = "/todos/00000000-0000-4000-8000-000000000000"
OPERATIONS = [
    ("GET", "/todos/", "todos:read"),
    ("GET", NOBODYS, "todos:read"),
    ("POST", "/todos/", "todos:write"),
    ("PUT", NOBODYS, "todos:write"),
    ("DELETE", NOBODYS, "todos:write"),
]


@pytest.fixture
async def yata(clock):
    async with simulated_yata(clock) as yata:
        yield yata


@pytest.fixture
async def todos(yata):
    return await yata.signed_in()


async def created(todos, **members):
    return (await todos.post("/todos/", json={"title": "Buy milk", **members})).json()


async def test_a_new_todo_has_every_member(todos):
    response = await todos.post("/todos/", json={"title": "Buy milk"})

    todo = response.json()
    assert response.status_code == 201
    assert str(uuid.UUID(todo.pop("id"))).count("-") == 4
    assert todo == {
        "title": "Buy milk",
        "description": None,
        "completed": False,
        "created_at": "2026-05-13T09:30:00Z",
        "updated_at": None,
    }


async def test_a_create_may_answer_200(clock):
    async with simulated_yata(clock, created_status=200) as yata:
        todos = await yata.signed_in()
        response = await todos.post("/todos/", json={"title": "Buy milk"})

    assert response.status_code == 200


async def test_todos_are_listed_in_the_order_of_their_creation(todos):
    first = await created(todos, title="First")
    second = await created(todos, title="Second", description="Soon", completed=True)

    response = await todos.get("/todos/")

    assert response.json() == [first, second]


async def test_a_todo_is_got_by_its_id(todos):
    todo = await created(todos)

    response = await todos.get(f"/todos/{todo['id']}")

    assert response.status_code == 200
    assert response.json() == todo


@pytest.mark.parametrize(
    "changes", [{"title": "Buy bread"}, {"completed": True}, {"description": None}]
)
async def test_an_update_changes_what_it_names_and_the_time(todos, clock, changes):
    todo = await created(todos, description="Two litres")

    clock.advance(timedelta(minutes=5))
    response = await todos.put(f"/todos/{todo['id']}", json=changes)

    assert response.status_code == 200
    assert response.json() == {**todo, **changes, "updated_at": "2026-05-13T09:35:00Z"}
    assert (await todos.get("/todos/")).json() == [response.json()]


async def test_an_update_that_names_nothing_changes_nothing(todos):
    todo = await created(todos)

    response = await todos.put(f"/todos/{todo['id']}", json={})

    assert response.json() == todo


async def test_a_deleted_todo_is_gone(todos):
    todo = await created(todos)
    path = f"/todos/{todo['id']}"

    deleted = await todos.delete(path)
    got = await todos.get(path)

    assert deleted.status_code == 200
    assert deleted.json() == {"message": "Todo deleted successfully"}
    assert got.status_code == 404


@pytest.mark.parametrize("path", [NOBODYS, "/todos/not-a-uuid"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_unknown_todo_is_not_found(todos, method, path):
    sent = {"json": {"title": "Buy bread"}} if method == "PUT" else {}

    response = await todos.request(method, path, **sent)

    assert response.status_code == 404
    assert response.json() == {"detail": "Todo not found"}


async def test_a_client_neither_sees_nor_changes_the_todos_of_another(yata, todos):
    todo = await created(todos)
    other = await yata.signed_in(OTHER_CREDENTIALS)

    listed = await other.get("/todos/")
    deleted = await other.delete(f"/todos/{todo['id']}")

    assert listed.json() == []
    assert deleted.status_code == 404
    assert (await todos.get("/todos/")).json() == [todo]


async def test_todos_outlive_the_access_token_that_made_them(yata, todos):
    todo = await created(todos)

    again = await yata.signed_in()

    assert (await again.get("/todos/")).json() == [todo]


@pytest.mark.parametrize(("method", "path", "scope"), OPERATIONS)
async def test_each_operation_needs_the_scope_of_its_method(yata, method, path, scope):
    other_scope = {"todos:read": "todos:write", "todos:write": "todos:read"}[scope]
    without = await yata.signed_in(scope=other_scope)
    refused = await without.request(method, path)
    having = await yata.signed_in(scope=scope)
    allowed = await having.request(method, path)

    assert refused.status_code == 403
    assert refused.json() == {"detail": f"Insufficient scope: {scope} required"}
    assert allowed.status_code in {200, 404, 422}


@pytest.mark.parametrize(("method", "path", "_scope"), OPERATIONS)
async def test_no_operation_is_open_to_an_unknown_access_token(yata, method, path, _scope):
    headers = {"Authorization": "Bearer unknown"}

    response = await yata.http.request(method, f"/api/v1{path}", headers=headers)

    assert response.status_code == 401
    assert response.json() == {"detail": "Invalid or expired token"}
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer"}, {"Authorization": "Basic YTpi"}]
)
async def test_a_request_without_an_access_token_is_told_so(yata, headers):
    response = await yata.http.get("/api/v1/todos/", headers=headers)

    assert response.status_code == 401
    assert response.json() == {"detail": "Not authenticated"}
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, [("missing", ["body", "title"])]),
        ({"title": None}, [("string_type", ["body", "title"])]),
        (
            {"title": 1, "completed": "maybe"},
            [("string_type", ["body", "title"]), ("bool_parsing", ["body", "completed"])],
        ),
    ],
)
async def test_a_create_tells_everything_that_is_wrong_with_its_body(todos, body, problems):
    response = await todos.post("/todos/", json=body)

    told = [(problem["type"], problem["loc"]) for problem in response.json()["detail"]]
    assert response.status_code == 422
    assert told == problems
    assert (await todos.get("/todos/")).json() == []


@pytest.mark.parametrize("changes", [{"title": None}, {"completed": None}, []])
async def test_an_update_that_makes_no_sense_changes_nothing(todos, changes):
    todo = await created(todos)

    response = await todos.put(f"/todos/{todo['id']}", json=changes)

    assert response.status_code == 422
    assert (await todos.get("/todos/")).json() == [todo]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_path_without_its_slash_redirects_with_method_and_query(todos, method):
    response = await todos.request(method, "/todos", params={"limit": 1})

    assert response.status_code == 307
    assert response.headers["location"] == "http://yata.test/api/v1/todos/?limit=1"


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/api/v1/nothing", 404, "Not Found"),
        ("PATCH", "/api/v1/todos/", 405, "Method Not Allowed"),
        ("GET", "/oauth/token", 405, "Method Not Allowed"),
    ],
)
async def test_what_there_is_not_is_refused_in_json(yata, method, path, status, detail):
    response = await yata.http.request(method, path)

    assert response.status_code == status
    assert response.json() == {"detail": detail}
