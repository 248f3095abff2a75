"""The simulator as an ASGI application: YATA's routes, and those that control the simulator."""

from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from devtools.simulation.faulty_endpoints import Endpoint, with_planned_faults
from devtools.yata_simulator.control import control_of
from devtools.yata_simulator.errors import Refused
from devtools.yata_simulator.faults import UNSPOKEN, faulty_answer
from devtools.yata_simulator.oauth import TOKEN_PATH
from devtools.yata_simulator.simulator import YataSimulator
from devtools.yata_simulator.todo_api import TODOS_PATH

WITHOUT_SLASH = TODOS_PATH.rstrip("/")


def create_app(simulator: YataSimulator) -> Starlette:
    """Serve a simulator."""
    api = simulator.todo_api

    def yata(path: str, endpoint: Endpoint, *methods: str) -> Route:
        return Route(path, _serving(simulator, endpoint), methods=methods)

    return Starlette(
        routes=[
            *control_of(simulator).routes(),
            yata(TOKEN_PATH, simulator.token_endpoint.answer, "POST"),
            yata(TODOS_PATH, api.collection, "GET", "POST"),
            yata(WITHOUT_SLASH, api.without_slash, "GET", "POST", "PUT", "DELETE"),
            yata(f"{TODOS_PATH}{{todo_id}}", api.item, "GET", "PUT", "DELETE"),
        ],
        exception_handlers={HTTPException: _not_served},
    )


def _serving(simulator: YataSimulator, endpoint: Endpoint) -> Endpoint:
    """Wrap an endpoint in what every request to YATA goes through."""

    async def carried_out(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Refused as refused:
            return refused.answer()

    answered = with_planned_faults(carried_out, simulator, faulty_answer, UNSPOKEN)

    async def served(request: Request) -> Response:
        simulator.stats.record(request)
        return await answered(request)

    return served


async def _not_served(_request: Request, problem: Exception) -> Response:
    """Answer for paths and methods that there are not, as FastAPI does."""
    refused = cast("HTTPException", problem)
    return JSONResponse({"detail": refused.detail}, refused.status_code, refused.headers)
