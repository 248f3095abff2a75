"""A Google Cloud for tests: the APIs that gcloud calls, over HTTP on this machine, with a memory.

It records every request, and can be told to break one.
"""

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.google_cloud import (
    functions_apis,
    observability_apis,
    project_apis,
    storage_api,
    storing_apis,
)
from tests.google_cloud.resources import GoogleError, Json, Resources

# By the names under which gcloud knows them.
APIS = {
    **project_apis.APIS,
    **storing_apis.APIS,
    **storage_api.APIS,
    **functions_apis.APIS,
    **observability_apis.APIS,
}

# The one API whose version belongs to its base.
_BASES = {"storage": "storage/v1"}

# POST requests that only ask.
_ASKING = ("getIamPolicy", "testIamPermissions")


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came; `body` is JSON where it was, else its bytes in Latin 1."""

    api: str
    method: str
    path: str
    query: Mapping[str, str]
    body: Any

    @property
    def changes(self) -> bool:
        """Whether Google would be different after it."""
        return self.method != "GET" and not self.path.endswith(_ASKING)

    @property
    def creates(self) -> bool:
        """Whether it makes a resource."""
        _, colon, verb = self.path.rpartition(":")
        return self.changes and self.method == "POST" and (not colon or verb == "undelete")


@dataclass(frozen=True, slots=True)
class Break:
    """What goes wrong after so many changes, or looks, that went well since the last break.

    Where it `is_done`, Google did what was asked, and the answer was lost.
    """

    after: int
    error: GoogleError
    is_done: bool = False
    of_looks: bool = False


@dataclass(slots=True)
class GoogleCloud:
    """Listens while its context is open."""

    resources: Resources
    requests: list[Request] = field(default_factory=list)
    _breaks: list[Break] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server
        self._server.shutdown()
        self._server.server_close()

    @property
    def origin(self) -> str:
        """Where it listens."""
        assert self._server
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def overrides(self) -> dict[str, str]:
        """Environment that turns gcloud to it."""
        return {
            f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api.upper()}": f"{self.origin}/{base}/"
            for api, base in ({api: api for api in APIS} | _BASES).items()
        }

    def break_requests(self, *breaks: Break) -> None:
        """Break some of the requests that come, each once, in this order, and no others."""
        self._breaks = list(breaks)

    def answer(self, request: Request) -> Json:
        """Do what a request asks; raise GoogleError as Google would answer one."""
        with self._lock:
            self.requests.append(request)
            broken = self._due(request)
            if broken and not broken.is_done:
                raise broken.error
            answer = self._do(request)
            if broken:
                raise broken.error
            return answer

    def _do(self, request: Request) -> Json:
        for method, pattern, handler in APIS[request.api]:
            match = re.fullmatch(pattern, request.path)
            if method == request.method and match:
                return handler(self.resources, request, *match.groups())
        message = f"The stand-in has no {request.method} {request.api}/{request.path}"
        raise GoogleError(501, "UNIMPLEMENTED", message)

    def _due(self, request: Request) -> Break | None:
        """Count a request; return what breaks it."""
        if not self._breaks or self._breaks[0].of_looks == request.changes:
            return None
        following = replace(self._breaks[0], after=self._breaks[0].after - 1)
        self._breaks[0] = following
        return self._breaks.pop(0) if following.after < 0 else None


def _handler_for(cloud: GoogleCloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            try:
                status, answer = 200, cloud.answer(_parsed(self))
            except GoogleError as error:
                status, answer = error.status, error.body
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _parsed(handler: BaseHTTPRequestHandler) -> Request:
    content = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    url = urlsplit(handler.path)
    api, _, path = unquote(url.path).lstrip("/").partition("/")
    is_json = "json" in handler.headers.get("Content-Type", "json")
    body = json.loads(content or b"{}") if is_json else content.decode("latin-1")
    return Request(api, handler.command, path, dict(parse_qsl(url.query)), body)
