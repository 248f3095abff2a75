"""What a YATA backend answers, as this product reads it."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter


def _empty_where_null(value: object) -> object:
    return "" if value is None else value


def _false_where_null(value: object) -> object:
    return False if value is None else value


_Text = Annotated[str, BeforeValidator(_empty_where_null)]


class _FromYata(BaseModel):
    # Ids and titles that are numbers to a backend are text to a caller.
    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)


class Todo(_FromYata):
    """A todo; what it does not have is empty. Times are as the backend writes them."""

    id: Annotated[str, Field(min_length=1)]
    title: _Text = ""
    description: _Text = ""
    completed: Annotated[bool, BeforeValidator(_false_where_null)] = False
    created_at: _Text = ""
    updated_at: _Text = ""


TODOS = TypeAdapter(list[Todo])
"""All todos, as the backend lists them."""


class Message(_FromYata):
    """What the backend says of something that it did."""

    message: _Text = ""


class _Problem(_FromYata):
    """One argument that the backend refuses, as FastAPI tells it."""

    loc: tuple[str | int, ...] = ()
    msg: _Text = ""

    def __str__(self) -> str:
        where = ".".join(str(part) for part in self.loc if part not in {"body", "path"})
        return f"{where}: {self.msg}" if where else self.msg


class Refusal(_FromYata):
    """Why the backend did not do something: a sentence, or the arguments that it refuses."""

    detail: str | list[_Problem] = ""

    @classmethod
    def parse(cls, body: bytes) -> "Refusal":
        """Read an error's body; one in another form gives no reason."""
        try:
            return cls.model_validate_json(body)
        except ValueError:
            return cls()

    @property
    def reason(self) -> str:
        """The backend's own words, not cleaned; empty where it gives none."""
        if isinstance(self.detail, str):
            return self.detail
        return "; ".join(str(problem) for problem in self.detail)
