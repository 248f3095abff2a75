"""The simulator as an ASGI application: Entra's routes, and those that control the simulator."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from devtools.entra_simulator.control import control_of
from devtools.entra_simulator.directory import DOMAIN
from devtools.entra_simulator.discovery import configuration, issuer_of, origin_of
from devtools.entra_simulator.errors import Refused, tenant_not_found
from devtools.entra_simulator.faults import UNSPOKEN, Fault, faulty_answer
from devtools.entra_simulator.pages import refusal_page
from devtools.entra_simulator.simulator import EntraSimulator
from devtools.simulation.faulty_endpoints import Endpoint, with_planned_faults

DISCOVERY_HEADERS = {"Cache-Control": "max-age=86400, private"}


def create_app(simulator: EntraSimulator) -> Starlette:
    """Serve a simulator. The issuer and all URLs have the scheme and host of each request."""
    entra = _Entra(simulator)
    authorize = entra.serving(simulator.authorization.answer, _page)
    token = entra.serving(simulator.token_endpoint.answer, JSONResponse)
    well_known = "/{tenant}/v2.0/.well-known/openid-configuration"
    return Starlette(
        routes=[
            *control_of(simulator).routes(),
            Route("/{tenant}/oauth2/v2.0/authorize", authorize, methods=["GET", "POST"]),
            Route("/{tenant}/oauth2/v2.0/token", token, methods=["POST"]),
            Route(well_known, entra.serving(entra.configuration, JSONResponse)),
            Route("/{tenant}/discovery/v2.0/keys", entra.serving(entra.keys, JSONResponse)),
        ]
    )


class _Entra:
    """Entra's own endpoints, with faults, latency and statistics around them."""

    def __init__(self, simulator: EntraSimulator) -> None:
        self._simulator = simulator

    def serving(
        self, endpoint: Endpoint, refuse: Callable[[dict[str, object], int], Response]
    ) -> Endpoint:
        """Wrap an endpoint in what every request to Entra goes through."""

        async def carried_out(request: Request) -> Response:
            try:
                self._check_tenant(request)
                return await endpoint(request)
            except Refused as refused:
                document = refused.document(origin_of(request), self._simulator.clock())
                return refuse(document, refused.status)

        answered = with_planned_faults(carried_out, self._simulator, self._faulty_answer, UNSPOKEN)

        async def served(request: Request) -> Response:
            self._simulator.stats.record(request)
            return await answered(request)

        return served

    async def configuration(self, request: Request) -> Response:
        """Answer with the OpenID configuration."""
        self._simulator.stats.configuration_requests += 1
        document = configuration(origin_of(request), self._simulator.tenant)
        return JSONResponse(document, headers=DISCOVERY_HEADERS)

    async def keys(self, request: Request) -> Response:
        """Answer with the key set."""
        self._simulator.stats.key_requests += 1
        issuer = issuer_of(origin_of(request), self._simulator.tenant)
        return JSONResponse(self._simulator.keys.document(issuer), headers=DISCOVERY_HEADERS)

    def _check_tenant(self, request: Request) -> None:
        tenant = request.path_params["tenant"]
        if tenant.lower() not in {self._simulator.tenant, DOMAIN}:
            raise tenant_not_found(tenant)

    def _faulty_answer(self, request: Request, fault: Fault, original: bytes) -> Response:
        return faulty_answer(request, fault, original, self._simulator.clock())


def _page(document: dict[str, object], status: int) -> Response:
    return HTMLResponse(refusal_page(document), status)
