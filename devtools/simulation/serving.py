"""A simulator as a program: the options that several have, and serving on a socket.

Each function that adds options says in its name which; a program calls those that it wants, in
the order in which `--help` is to list them.
"""

import argparse
import socket
import sys
from collections.abc import Iterable
from datetime import timedelta

import uvicorn
from starlette.applications import Starlette

from devtools.simulation.oauth import RegisteredClient


def add_address_options(parser: argparse.ArgumentParser) -> None:
    """Add --host and --port, which `serve` reads."""
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 chooses a free one")


def add_client_options(parser: argparse.ArgumentParser, kind: str) -> None:
    """Add --client-id and --client-secret; `kind` is what the original calls a client."""
    parser.add_argument("--client-id", help=f"register one {kind} under this id")
    parser.add_argument("--client-secret", default="")


def add_sign_in_options(parser: argparse.ArgumentParser, users: Iterable[str]) -> None:
    """Add --redirect-uri and --auto-consent, for simulators where people sign in."""
    parser.add_argument(
        "--redirect-uri", action="append", default=[], help="may be given more than once"
    )
    parser.add_argument("--auto-consent", choices=list(users), metavar="USER")


def add_latency_option(parser: argparse.ArgumentParser) -> None:
    """Add --latency-ms, which `latency` reads."""
    parser.add_argument("--latency-ms", type=int, default=0, help="delay every answer")


def registered_clients(options: argparse.Namespace) -> tuple[RegisteredClient, ...]:
    """Return the one client that the options name, if they do."""
    if not options.client_id:
        return ()
    redirect_uris = tuple(options.redirect_uri)
    return (RegisteredClient(options.client_id, options.client_secret, redirect_uris),)


def latency(options: argparse.Namespace) -> timedelta:
    """Return how long every answer is to be delayed."""
    return timedelta(milliseconds=options.latency_ms)


def serve(name: str, app: Starlette, options: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT; stderr names the URL once connections are accepted."""
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    with socket.create_server((options.host, options.port)) as listener:
        port = listener.getsockname()[1]
        print(f"{name} simulator: http://{options.host}:{port}", file=sys.stderr, flush=True)
        uvicorn.Server(config).run(sockets=[listener])
