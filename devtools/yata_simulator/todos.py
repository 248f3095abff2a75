"""Todos, each of which belongs to one client."""

import uuid
from collections.abc import Callable
from datetime import datetime

from pydantic import BaseModel

from devtools.yata_simulator.errors import Refused


class TodoCreate(BaseModel):
    """The body of a create."""

    title: str
    description: str | None = None
    completed: bool = False


class TodoUpdate(BaseModel):
    """The body of an update: what is left out stays as it is, and only a description may be null.

    The defaults are never stored.
    """

    title: str = ""
    description: str | None = None
    completed: bool = False


class Todo(BaseModel):
    """A todo as YATA answers with it; `updated_at` is null until the first update."""

    id: str
    title: str
    description: str | None
    completed: bool
    created_at: datetime
    updated_at: datetime | None = None


class TodoStore:
    """The todos of all clients. A client sees its own alone, in the order of their creation."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._todos: dict[str, dict[str, Todo]] = {}

    def create(self, client_id: str, wanted: TodoCreate) -> Todo:
        """Add a todo and return it."""
        todo = Todo(id=str(uuid.uuid4()), created_at=self._clock(), **wanted.model_dump())
        self._of(client_id)[todo.id] = todo
        return todo

    def list(self, client_id: str) -> list[Todo]:
        """Return every todo of a client."""
        return list(self._of(client_id).values())

    def get(self, client_id: str, todo_id: str) -> Todo:
        """Return one todo. Raises Refused with 404, for another client's too."""
        todo = self._of(client_id).get(todo_id)
        if todo is None:
            raise Refused(404, "Todo not found")
        return todo

    def update(self, client_id: str, todo_id: str, wanted: TodoUpdate) -> Todo:
        """Change what was given and return the todo. Raises Refused with 404."""
        todo = self.get(client_id, todo_id)
        changes = wanted.model_dump(exclude_unset=True)
        if changes:
            todo = todo.model_copy(update={**changes, "updated_at": self._clock()})
            self._of(client_id)[todo_id] = todo
        return todo

    def delete(self, client_id: str, todo_id: str) -> None:
        """Remove a todo for good. Raises Refused with 404."""
        self.get(client_id, todo_id)
        del self._of(client_id)[todo_id]

    def _of(self, client_id: str) -> dict[str, Todo]:
        return self._todos.setdefault(client_id, {})
