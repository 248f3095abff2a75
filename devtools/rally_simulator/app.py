"""The simulator as an ASGI application: Rally's routes, and those that control the simulator."""

from contextlib import AbstractContextManager, nullcontext

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from devtools.rally_simulator.control import control_of
from devtools.rally_simulator.errors import NotSignedIn, UnknownResource
from devtools.rally_simulator.faults import UNSPOKEN, faulty_answer, unusable_answer
from devtools.rally_simulator.objects import object_id_of_ref
from devtools.rally_simulator.rendering import Renderer, wsapi_response
from devtools.rally_simulator.schema import schema_document, schema_hash
from devtools.rally_simulator.simulator import RallySimulator
from devtools.rally_simulator.type_catalog import find_type_name
from devtools.rally_simulator.wsapi import WsapiRequest
from devtools.simulation.faulty_endpoints import Endpoint, with_planned_faults
from devtools.simulation.pages import error_page

VERSIONS = frozenset({"v2.0", "v2.x"})


def create_app(simulator: RallySimulator) -> Starlette:
    """Serve a simulator. Object URLs are built from the scheme and host of each request."""
    rally = _Rally(simulator)
    wsapi_path = "/slm/webservice/{version}/{resource:path}"
    schema_path = "/slm/schema/{version}/workspace/{object_id}"
    return Starlette(
        routes=[
            *control_of(simulator).routes(),
            Route(
                "/login/oauth2/auth",
                rally.serving(simulator.oauth.authorize),
                methods=["GET", "POST"],
            ),
            Route("/login/oauth2/token", rally.serving(simulator.oauth.token), methods=["POST"]),
            Route(
                wsapi_path,
                rally.serving(rally.wsapi),
                methods=["GET", "POST", "PUT", "DELETE"],
            ),
            Route(schema_path, rally.serving(rally.schema_redirect)),
            Route(f"{schema_path}/{{hash}}", rally.serving(rally.schema)),
        ]
    )


class _Rally:
    """Rally's own endpoints, with faults, latency and statistics around them."""

    def __init__(self, simulator: RallySimulator) -> None:
        self._simulator = simulator

    def serving(self, endpoint: Endpoint) -> Endpoint:
        """Wrap an endpoint in what every request to Rally goes through."""
        answered = with_planned_faults(endpoint, self._simulator, faulty_answer, UNSPOKEN)

        async def served(request: Request) -> Response:
            self._record(request)
            with self._in_flight(request):
                try:
                    return await answered(request)
                except NotSignedIn as refused:
                    return unusable_answer(refused.status)
                except UnknownResource as unknown:
                    return HTMLResponse(error_page(str(unknown)), 404)

        return served

    async def wsapi(self, request: Request) -> Response:
        """Answer `/slm/webservice/v2.0/…`."""
        _, user = self._simulator.authenticate(_credential(request))
        if request.path_params["version"] not in VERSIONS:
            raise UnknownResource("This version of the WSAPI is not supported.")
        body = await request.body()
        wsapi_request = WsapiRequest(
            self._renderer(request),
            user,
            request.method,
            tuple(request.path_params["resource"].strip("/").split("/")),
            dict(request.query_params),
            body,
        )
        return wsapi_request.answer()

    async def schema_redirect(self, request: Request) -> Response:
        """Redirect to the schema's cacheable URL, for those who see the workspace."""
        _, user = self._simulator.authenticate(_credential(request))
        object_id = object_id_of_ref(request.url.path)
        if self._simulator.objects.find(object_id, user) is None:
            raise UnknownResource("There is no such workspace.")
        return RedirectResponse(f"{request.url.replace(query='')}/{schema_hash()}", 302)

    async def schema(self, request: Request) -> Response:
        """Answer with the whole schema of a workspace."""
        _, user = self._simulator.authenticate(_credential(request))
        return wsapi_response(schema_document(self._renderer(request), user))

    def _renderer(self, request: Request) -> Renderer:
        base_url = str(request.base_url).rstrip("/")
        return Renderer(self._simulator.objects, base_url, self._simulator.clock())

    def _record(self, request: Request) -> None:
        self._simulator.stats.record(request)
        resource = request.path_params.get("resource")
        if resource is not None:
            segment = resource.split("/")[0]
            kind = find_type_name(segment) or segment
            self._simulator.stats.wsapi_requests[f"{request.method} {kind}"] += 1

    def _in_flight(self, request: Request) -> AbstractContextManager[None]:
        """Count a WSAPI request of somebody who is signed in."""
        try:
            user, _ = self._simulator.authenticate(_credential(request))
        except NotSignedIn:
            return nullcontext()
        is_wsapi = "resource" in request.path_params
        return self._simulator.stats.in_flight(user) if is_wsapi else nullcontext()


def _credential(request: Request) -> str:
    """Return the API key or access token, from either header that Rally takes."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return request.headers.get("zsessionid", bearer)
