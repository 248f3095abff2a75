"""A Rally that costs next to nothing: it lets everybody in and answers every create alike.

The simulator does Rally's work and is busy with it before either server is; in front of this one
the servers themselves are measured. Run as `python -m benchmarks.light_rally PORT LATENCY_MS`.
"""

import asyncio
import itertools
import json
import sys
from urllib.parse import parse_qs, urlencode

import uvicorn
from starlette.types import Receive, Scope, Send

_TOKENS = {"access_token": "a" * 43, "refresh_token": "b" * 29, "expires_in": 86400}
_numbers = itertools.count(1)


def main() -> None:
    """Serve until stopped."""
    port, latency_ms = int(sys.argv[1]), int(sys.argv[2])

    async def rally(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        await asyncio.sleep(latency_ms / 1000)
        status, headers, body = _answer(scope["path"], scope["query_string"].decode())
        headers = [*headers, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    uvicorn.run(rally, host="127.0.0.1", port=port, log_level="error")


def _answer(path: str, query: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    if path == "/login/oauth2/auth":
        asked = parse_qs(query)
        answer = urlencode({"code": "c" * 40, "state": asked["state"][0]})
        return 302, [(b"location", f"{asked['redirect_uri'][0]}?{answer}".encode())], b""
    if path == "/login/oauth2/token":
        return 200, [], json.dumps(_TOKENS).encode()
    if path.endswith("/user"):
        # Many people, so that the limit for one person does not decide.
        user = {"ObjectID": next(_numbers), "DisplayName": "Somebody"}
        return 200, [], json.dumps({"User": user}).encode()
    number = next(_numbers)
    story = {"ObjectID": number, "FormattedID": f"US{number}", "Name": "Benchmark"}
    created = {"Errors": [], "Warnings": [], "Object": {**story, "ScheduleState": "Defined"}}
    return 200, [], json.dumps({"CreateResult": created}).encode()


if __name__ == "__main__":
    main()
