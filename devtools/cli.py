"""The command line: `rally-mcp stdio | dev | config | connect | doctor | clients | principals`.

Commands are imported when they are asked for: a client waits for `stdio` to start.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

DEFAULT_PORT = 8080


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if list(arguments) == ["stdio"]:
        from rally_mcp.local import command

        return command.run()
    return _run(_parser().parse_args(arguments))


def _run(options: argparse.Namespace) -> int:
    from devtools import (
        clients_command,
        config_command,
        connect_command,
        dev_server,
        principals_command,
    )
    from devtools.doctor import command as doctor_command

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
        return config_command.run(options)
    if options.command == "connect":
        return connect_command.run(options)
    if options.command == "clients":
        return clients_command.run(options)
    if options.command == "principals":
        return principals_command.run(options)
    return doctor_command.run(options)


def _parser() -> argparse.ArgumentParser:
    from devtools import clients_command, config_command, connect_command, principals_command
    from devtools.doctor import command as doctor_command

    parser = argparse.ArgumentParser(prog="rally-mcp", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("stdio", help="serve the tools to a client that starts this process")

    dev = commands.add_parser(
        "dev", help="run the three functions and a simulated Rally on this machine"
    )
    dev.add_argument("--port", type=_port, default=DEFAULT_PORT, help="first of the ports to use")
    dev.add_argument("--storage", choices=("sqlite", "firestore"), default="sqlite")
    dev.add_argument("--data", type=Path, default=Path(".dev"), help="folder for the database")
    dev.add_argument(
        "--json", action="store_true", dest="as_json", help="print the addresses as one JSON line"
    )

    config_command.add_parser(commands)
    connect_command.add_parser(commands)
    doctor_command.add_parser(commands)
    clients_command.add_parser(commands)
    principals_command.add_parser(commands)
    return parser


def _port(text: str) -> int:
    from devtools import simulated_upstreams

    highest = 65535 - simulated_upstreams.HIGHEST_OFFSET
    if not text.isdigit() or not 1 <= int(text) <= highest:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to {highest}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
