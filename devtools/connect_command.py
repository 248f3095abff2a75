"""`rally-mcp connect`: a deployment as a local MCP server, for programs that cannot sign in.

The program starts it and talks to it on stdin and stdout; it logs a machine client in.
"""

import argparse
import os
import signal
import sys

import anyio

from devtools.mcp_url import mcp_url
from rally_mcp.errors import InvalidInput

CLIENT_ID_VARIABLE = "RALLY_MCP_CLIENT_ID"
CLIENT_SECRET_VARIABLE = "RALLY_MCP_CLIENT_SECRET"  # noqa: S105 the name of a variable


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    connect = commands.add_parser(
        "connect", help="serve a deployment on stdin and stdout, logged in as a machine client"
    )
    connect.add_argument("url", type=mcp_url, help="the MCP endpoint; ends in /mcp")
    connect.add_argument(
        "--client-id-variable",
        default=CLIENT_ID_VARIABLE,
        metavar="NAME",
        help="the environment variable with the client id (default %(default)s)",
    )
    connect.add_argument(
        "--client-secret-variable",
        default=CLIENT_SECRET_VARIABLE,
        metavar="NAME",
        help="the environment variable with the client secret (default %(default)s)",
    )
    connect.add_argument(
        "--scope", help="what to ask for, with spaces between (default: all that there is)"
    )


def run(options: argparse.Namespace) -> int:
    """Serve until stdin ends; return the exit code."""
    # The SDK takes half a second to import, which the other commands need not wait for.
    from devtools import machine_bridge
    from devtools.machine_login import MachineLogin

    try:
        login = MachineLogin(
            resource=options.url,
            client_id=_value_of(options.client_id_variable),
            client_secret=_value_of(options.client_secret_variable),
            scope=options.scope,
        )
    except InvalidInput as error:
        print(f"rally-mcp: {error.message}", file=sys.stderr)
        return 1
    # A thread waits for a line of stdin, and an orderly end would wait for that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    anyio.run(machine_bridge.serve, options.url, login)
    return 0


def _value_of(variable: str) -> str:
    value = os.environ.get(variable, "")
    if not value or value.startswith("$"):
        problem = "holds a variable that was not replaced" if value else "is not set"
        raise InvalidInput(f"{variable} {problem}; `rally-mcp clients add` tells id and secret.")
    return value
