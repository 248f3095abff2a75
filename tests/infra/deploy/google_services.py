"""Google on this machine, as `make deploy` needs it: projects, Cloud Storage, Secret Manager."""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.google_cloud.resources import GoogleError, Json, Resources
from tests.google_cloud.stand_in import GoogleCloud
from tests.infra.deploy.cloud_storage import Call, CloudStorage

_VERSIONS = r"secretmanager/v1/(projects/[^/]+/secrets/[^/:]+)"


@dataclass(slots=True)
class SecretVersions:
    """The versions of every secret by its name, oldest first: state and value.

    Nobody may add one to the secrets in `closed`.
    """

    of: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)

    def answer(self, call: Call) -> Json:
        """List versions, newest first, or add one."""
        if match := re.fullmatch(f"{_VERSIONS}/versions", call.path):
            return {"versions": self._listed(match[1])[::-1]}
        if match := re.fullmatch(f"{_VERSIONS}:addVersion", call.path):
            if match[1] in self.closed:
                raise GoogleError(HTTPStatus.FORBIDDEN, "PERMISSION_DENIED", "You have no access.")
            data = json.loads(call.body)["payload"]["data"]
            value = base64.urlsafe_b64decode(data).decode()
            self.of.setdefault(match[1], []).append(("ENABLED", value))
            return self._listed(match[1])[-1]
        raise GoogleError(HTTPStatus.NOT_IMPLEMENTED, "UNIMPLEMENTED", call.path)

    def _listed(self, secret: str) -> list[Json]:
        return [
            {"name": f"{secret}/versions/{number}", "state": state}
            for number, (state, _) in enumerate(self.of.get(secret, ()), 1)
        ]


@dataclass(slots=True)
class GoogleServices:
    """One project at Google. `calls` are those to Cloud Storage and Secret Manager.

    Calls about buckets by the methods in `forbidden` are refused.
    """

    projects: GoogleCloud
    origin: str = ""
    storage: CloudStorage = field(default_factory=CloudStorage)
    secrets: SecretVersions = field(default_factory=SecretVersions)
    calls: list[Call] = field(default_factory=list)
    forbidden: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def environment(self) -> dict[str, str]:
        """What turns gcloud and Terraform's state to them."""
        return {
            **self.projects.overrides,
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{self.origin}/storage/v1/",
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER": f"{self.origin}/secretmanager/",
            "GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT": f"{self.origin}/storage/v1/",
            "GOOGLE_OAUTH_ACCESS_TOKEN": "ya29.nobody",
        }

    def answer(self, call: Call) -> Json | bytes:
        """Do what a call asks; raise GoogleError as Google would answer one."""
        with self._lock:
            self.calls.append(call)
            if call.is_about_buckets and call.method in self.forbidden:
                raise GoogleError(HTTPStatus.FORBIDDEN, "forbidden", "You have no access.")
            is_for_secrets = call.path.startswith("secretmanager/")
            return self.secrets.answer(call) if is_for_secrets else self.storage.answer(call)


@contextmanager
def running_google(project: str, number: str) -> Iterator[GoogleServices]:
    """Run Google for one project, in which nothing was made, until the block ends."""
    with ExitStack() as until_the_end:
        projects = until_the_end.enter_context(GoogleCloud(Resources(project, number)))
        services = GoogleServices(projects)
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(services))
        until_the_end.callback(server.server_close)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        until_the_end.callback(server.shutdown)
        services.origin = f"http://127.0.0.1:{server.server_port}"
        yield services


def _handler_for(services: GoogleServices) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            try:
                status, answer = HTTPStatus.OK, services.answer(_call(self))
            except GoogleError as error:
                status, answer = error.status, error.body
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            kind = "octet-stream" if isinstance(answer, bytes) else "json"
            self.send_header("Content-Type", f"application/{kind}")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _call(handler: BaseHTTPRequestHandler) -> Call:
    url = urlsplit(handler.path)
    path = unquote(url.path).lstrip("/")
    return Call(handler.command, path, dict(parse_qsl(url.query)), _body(handler))


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    if handler.headers.get("Transfer-Encoding") != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    # What Terraform writes has no length before it (RFC 9112 §7.1).
    body = b""
    while size := int(handler.rfile.readline(), 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body
