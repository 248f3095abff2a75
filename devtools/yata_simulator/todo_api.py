"""The todo API below `/api/v1`: who may call what, and the answers."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from devtools.yata_simulator.bodies import parse_body
from devtools.yata_simulator.clients import READ, WRITE
from devtools.yata_simulator.errors import Refused, invalid_access_token, not_authenticated
from devtools.yata_simulator.todos import Todo, TodoCreate, TodoStore, TodoUpdate
from devtools.yata_simulator.tokens import TokenStore

TODOS_PATH = "/api/v1/todos/"


@dataclass(frozen=True, slots=True)
class TodoApi:
    """The five operations. Each needs a living access token with the scope of its method."""

    tokens: TokenStore
    todos: TodoStore
    created_status: int

    async def collection(self, request: Request) -> Response:
        """List the client's todos, or create one."""
        client_id = self._client_id(request)
        if request.method == "POST":
            wanted = await parse_body(request, TodoCreate)
            return _answer(self.todos.create(client_id, wanted), self.created_status)
        return JSONResponse([_members(todo) for todo in self.todos.list(client_id)])

    async def item(self, request: Request) -> Response:
        """Get, update or delete one todo."""
        client_id = self._client_id(request)
        todo_id = request.path_params["todo_id"]
        if request.method == "DELETE":
            self.todos.delete(client_id, todo_id)
            return JSONResponse({"message": "Todo deleted successfully"})
        if request.method == "PUT":
            wanted = await parse_body(request, TodoUpdate)
            return _answer(self.todos.update(client_id, todo_id, wanted))
        return _answer(self.todos.get(client_id, todo_id))

    async def without_slash(self, request: Request) -> Response:
        """Redirect to the path that ends in a slash, whoever asks, as FastAPI does."""
        return RedirectResponse(request.url.replace(path=TODOS_PATH), 307)

    def _client_id(self, request: Request) -> str:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not value.strip():
            raise not_authenticated("Bearer")
        access_token = self.tokens.find(value.strip())
        if access_token is None:
            raise invalid_access_token()
        needed = READ if request.method in {"GET", "HEAD"} else WRITE
        if needed not in access_token.scopes:
            raise Refused(403, f"Insufficient scope: {needed} required")
        return access_token.client.client_id


def _answer(todo: Todo, status: int = 200) -> Response:
    return JSONResponse(_members(todo), status)


def _members(todo: Todo) -> dict[str, object]:
    return todo.model_dump(mode="json")
