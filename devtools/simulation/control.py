"""What tests and developers ask of a simulator itself: what it is, statistics, faults."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

WantedT = TypeVar("WantedT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Control(Generic[WantedT]):
    """The page at /, and the endpoints below /simulator.

    `carry_out` gets what `POST /simulator/faults` asked for: a fault to plan, or a change to make
    at once. `forget` is for DELETE, which ends what is planned.
    """

    root_page: Callable[[], str]
    stats: Callable[[], dict[str, object]]
    wanted: TypeAdapter[WantedT]
    carry_out: Callable[[WantedT], None]
    forget: Callable[[], None]

    def routes(self) -> list[Route]:
        """Return where they answer."""
        return [
            Route("/", self._root),
            Route("/simulator/stats", self._stats),
            Route("/simulator/faults", self._faults, methods=["POST", "DELETE"]),
        ]

    async def _root(self, _request: Request) -> Response:
        return HTMLResponse(self.root_page())

    async def _stats(self, _request: Request) -> Response:
        return JSONResponse(self.stats())

    async def _faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.forget()
            return Response(status_code=204)
        try:
            wanted = self.wanted.validate_json(await request.body())
        except ValidationError as invalid:
            return Response(invalid.json(), 400, media_type="application/json")
        self.carry_out(wanted)
        return JSONResponse(wanted.model_dump(), 201)
