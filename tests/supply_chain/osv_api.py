"""An OSV API on this machine that knows the advisories it is given."""

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TIME = "2026-11-21T09:00:00Z"


def advisory(package: str, version: str) -> Mapping[str, Any]:
    """Return an advisory about one version, as OSV writes it (schema 1.7)."""
    events = [{"introduced": "0"}, {"fixed": f"{version}.post1"}]
    return {
        "id": "PYSEC-2026-1",
        "aliases": ["CVE-2026-0001"],
        "summary": "It can be made to do what it should not.",
        "published": TIME,
        "modified": TIME,
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": package},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
                "versions": [version],
            }
        ],
    }


@contextlib.contextmanager
def osv_api(advisories: Mapping[str, Any]) -> Iterator[str]:
    """Serve advisories by package name; yields the address to ask."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = advisories.get(asked["package"]["name"])
            answer = json.dumps({"vulns": [known]} if known else {}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()
            thread.join()
