"""Run the simulator: `python -m devtools.rally_simulator --port 8090`."""

import argparse
import socket
import sys
from collections.abc import Sequence
from datetime import timedelta

import uvicorn

from devtools.rally_simulator import RallySimulator, RegisteredClient, create_app


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; stderr names the URL once connections are accepted."""
    options = _parser().parse_args(arguments)
    simulator = RallySimulator(
        clients=_clients(options),
        auto_consent=options.auto_consent,
        latency=timedelta(milliseconds=options.latency_ms),
    )
    config = uvicorn.Config(create_app(simulator), log_level="warning", access_log=False)
    with socket.create_server((options.host, options.port)) as listener:
        port = listener.getsockname()[1]
        print(f"Rally simulator: http://{options.host}:{port}", file=sys.stderr, flush=True)
        uvicorn.Server(config).run(sockets=[listener])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("rally_simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 chooses a free one")
    parser.add_argument("--client-id", help="register one OAuth client under this id")
    parser.add_argument("--client-secret", default="")
    parser.add_argument(
        "--redirect-uri", action="append", default=[], help="may be given more than once"
    )
    parser.add_argument("--auto-consent", choices=["ann", "bob"], metavar="USER")
    parser.add_argument("--latency-ms", type=int, default=0, help="delay every answer")
    return parser


def _clients(options: argparse.Namespace) -> tuple[RegisteredClient, ...]:
    if not options.client_id:
        return ()
    redirect_uris = tuple(options.redirect_uri)
    return (RegisteredClient(options.client_id, options.client_secret, redirect_uris),)


if __name__ == "__main__":
    main()
