"""The command line: `rally-mcp dev | config | doctor | clients | principals`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from devtools import client_config, clients_command, dev_server, doctor, principals_command

DEFAULT_PORT = 8080


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    options = _parser().parse_args(arguments)
    if options.command == "dev":
        return dev_server.run(
            dev_server.Options(
                port=options.port,
                storage=options.storage,
                data=options.data,
                as_json=options.as_json,
            )
        )
    if options.command == "config":
        print(client_config.for_client(options.client, options.url))
        note = client_config.note_for(options.client)
        print(note, file=sys.stderr)
        return 0
    if options.command == "clients":
        return clients_command.run(options)
    if options.command == "principals":
        return principals_command.run(options)
    return doctor.run(options.url)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rally-mcp", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    dev = commands.add_parser(
        "dev", help="run the three functions and a simulated Rally on this machine"
    )
    dev.add_argument("--port", type=_port, default=DEFAULT_PORT, help="first of the ports to use")
    dev.add_argument("--storage", choices=("sqlite", "firestore"), default="sqlite")
    dev.add_argument("--data", type=Path, default=Path(".dev"), help="folder for the database")
    dev.add_argument(
        "--json", action="store_true", dest="as_json", help="print the addresses as one JSON line"
    )

    config = commands.add_parser(
        "config", help="print a client's configuration with a fresh Session-ID"
    )
    config.add_argument("client", choices=client_config.CLIENTS)
    config.add_argument(
        "url",
        nargs="?",
        type=_mcp_url,
        default=os.environ.get("MCP_URL") or f"http://127.0.0.1:{DEFAULT_PORT}/mcp",
        help="the MCP endpoint; ends in /mcp",
    )

    check = commands.add_parser("doctor", help="check a deployment, or this machine's settings")
    check.add_argument("url", nargs="?", type=_mcp_url, help="the MCP endpoint; ends in /mcp")
    clients_command.add_parser(commands)
    principals_command.add_parser(commands)
    return parser


def _port(text: str) -> int:
    highest = 65535 - dev_server.SIMULATOR_OFFSET
    if not text.isdigit() or not 1 <= int(text) <= highest:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to {highest}")
    return int(text)


def _mcp_url(text: str) -> str:
    if not text.startswith(("https://", "http://")) or not text.endswith("/mcp"):
        raise argparse.ArgumentTypeError("must be the whole address, as in https://host/mcp")
    return text


if __name__ == "__main__":
    sys.exit(main())
