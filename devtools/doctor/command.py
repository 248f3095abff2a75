"""The arguments of `rally-mcp doctor`, and its exit code."""

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from devtools.doctor import console
from devtools.mcp_url import mcp_url
from rally_mcp.errors import ConfigurationError

if TYPE_CHECKING:
    from devtools.doctor.google_cloud import Database
    from devtools.doctor.report import Report

_STOPPED = 130
"""What shells make of SIGINT."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    doctor = commands.add_parser("doctor", help="check a deployment, or this machine's settings")
    doctor.add_argument(
        "url",
        nargs="?",
        metavar="MCP_URL",
        type=mcp_url,
        help="the MCP endpoint; ends in /mcp (default: look at this environment's settings)",
    )
    doctor.add_argument(
        "--project",
        type=_name,
        help="the Google Cloud project, to look at its database and secrets too "
        "(default: GOOGLE_CLOUD_PROJECT)",
    )
    doctor.add_argument(
        "--database",
        type=_name,
        help="the Firestore database (default: FIRESTORE_DATABASE; of a deployment rally-mcp)",
    )
    doctor.add_argument(
        "--json", action="store_true", dest="as_json", help="print one JSON document"
    )


def run(options: argparse.Namespace) -> int:
    """Examine, and print the report; return the exit code.

    0 where nothing failed, 1 where something did or the report cannot be written, 2 where nothing
    can be asked, 130 where somebody stopped it.
    """
    try:
        return _run(options)
    except ConfigurationError as error:
        print(f"rally-mcp: {error.message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("rally-mcp: stopped", file=sys.stderr)
        return _STOPPED


def _run(options: argparse.Namespace) -> int:
    # All that a check needs takes a second to import: the other commands need not wait for it.
    import anyio

    with _quiet_logs():
        report: Report = anyio.run(_examine, options)
    text = report.as_json() if options.as_json else "\n".join(report.lines())
    return 0 if console.written(text) and report.ok else 1


async def _examine(options: argparse.Namespace) -> "Report":
    from devtools.doctor import examination
    from devtools.doctor.functions import Outside
    from devtools.doctor.google_cloud import Google
    from devtools.doctor.requests import Requests, new_client
    from rally_mcp.bootstrap.foundations import now
    from rally_mcp.setting_types import is_loopback

    given = {"GOOGLE_CLOUD_PROJECT": options.project, "FIRESTORE_DATABASE": options.database}
    variables = {**os.environ, **{name: value for name, value in given.items() if value}}
    async with new_client() as http:
        outside = Outside(Requests(http, now))
        if options.url is None:
            return await examination.of_environment(variables, outside, Google())
        # A deployment on this machine has no part at Google, unless somebody says so.
        is_asked = options.project or not is_loopback(options.url)
        database = _database(variables) if is_asked else None
        return await examination.of_deployment(options.url, outside, Google(), database)


def _database(variables: Mapping[str, str]) -> "Database | None":
    from devtools.doctor.google_cloud import DATABASE, Database

    project = variables.get("GOOGLE_CLOUD_PROJECT")
    name = variables.get("FIRESTORE_DATABASE") or DATABASE
    return Database(project, name) if project else None


def _name(text: str) -> str:
    if not text or "/" in text:
        raise argparse.ArgumentTypeError("must be a name, without slashes")
    return text


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Keep off stderr what Python would log there for want of a handler: the report tells it."""
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
