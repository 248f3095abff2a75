"""`rally-mcp config`: an MCP client's configuration, printed or written into the client's file."""

import argparse
import difflib
import json
import os
import re
import sys
import uuid
from pathlib import Path

from devtools import client_config
from devtools.client_config import CLIENTS, CLOUD_AGENT, GITHUB_PLACE, Entry
from devtools.client_file import ClientFile
from devtools.mcp_url import mcp_url
from rally_mcp.errors import InvalidInput
from rally_mcp.setting_types import is_loopback

_LOCAL_URL = "http://127.0.0.1:8080/mcp"
"""Where `rally-mcp dev` serves."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What every client takes for a server's name."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    config = commands.add_parser("config", help="print or write an MCP client's configuration")
    config.add_argument("client", choices=tuple(CLIENTS))
    config.add_argument(
        "url",
        nargs="?",
        type=mcp_url,
        default=os.environ.get("MCP_URL") or _LOCAL_URL,
        help="the MCP endpoint; ends in /mcp (default: MCP_URL, else %(default)s)",
    )
    config.add_argument(
        "--name", type=_server_name, default="rally", help="what the client calls the server"
    )
    way = config.add_mutually_exclusive_group()
    way.add_argument(
        "--stdio", action="store_true", help="run the server on this machine, not a deployment"
    )
    way.add_argument(
        "--session-id",
        action="store_true",
        help="sign in from the chat, by a fresh Session-ID in the configuration",
    )
    config.add_argument(
        "--from",
        dest="source",
        help="where uvx gets rally-mcp from, such as git+https://HOST/OWNER/REPOSITORY@TAG: for "
        "the cloud agent, and for --stdio in place of this very program",
    )
    config.add_argument(
        "--scope",
        action="append",
        default=[],
        help="for the cloud agent: a scope that its machine client has, if it has not all",
    )
    _add_writing(config)


def _add_writing(config: argparse.ArgumentParser) -> None:
    config.add_argument(
        "--write",
        nargs="?",
        const=True,
        type=_file,
        metavar="PATH",
        help="write it into the client's own file, or into PATH; other servers there stay",
    )
    config.add_argument(
        "--global", dest="is_global", action="store_true", help="for all projects (cursor)"
    )
    config.add_argument(
        "--yes", action="store_true", help="replace a server of the same name without asking"
    )


def run(options: argparse.Namespace) -> int:
    """Print or write the configuration; return the exit code."""
    try:
        _check(options)
        entry = _entry(options)
        if options.write is None:
            print(client_config.document(options.client, options.name, entry))
            print(f"It goes into {_own_file(options) or GITHUB_PLACE}.", file=sys.stderr)
        else:
            _write(options, entry)
    except InvalidInput as error:
        print(f"rally-mcp: {error.message}", file=sys.stderr)
        return 1
    for note in client_config.notes(options.client, entry):
        print(note, file=sys.stderr)
    return 0


def _server_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError("must be 1 to 64 letters, digits, _ or -")
    return text


def _file(text: str) -> Path:
    if "://" in text:
        raise argparse.ArgumentTypeError(f"{text} is no path; an address goes before --write")
    return Path(text).expanduser()


def _check(options: argparse.Namespace) -> None:
    is_cloud_agent = options.client == CLOUD_AGENT
    if is_cloud_agent and options.stdio:
        raise InvalidInput("The cloud agent cannot sign in, which --stdio needs: leave that out.")
    if is_cloud_agent and is_loopback(options.url):
        raise InvalidInput("The cloud agent runs at GitHub: give it the address of a deployment.")
    if is_cloud_agent and not options.session_id and not options.source:
        # No index has this name, and whoever takes it there would be handed the client's secret.
        raise InvalidInput(
            "The cloud agent has uvx fetch this program: say from where, as in "
            "--from git+https://HOST/OWNER/REPOSITORY@TAG."
        )
    if options.scope and (not is_cloud_agent or options.session_id):
        raise InvalidInput("--scope is for the cloud agent's machine client.")
    if options.is_global and not CLIENTS[options.client].file_everywhere:
        raise InvalidInput("--global is for cursor; the others have one file each.")


def _entry(options: argparse.Namespace) -> Entry:
    if options.stdio:
        program = str(Path(sys.argv[0]).absolute())
        if "archive-v" in program and not options.source:
            raise InvalidInput("This program is in uv's cache, which is not kept: say --from.")
        return client_config.local_entry(options.client, program, options.source)
    if options.client != CLOUD_AGENT:
        session_id = str(uuid.uuid4()) if options.session_id else None
        return client_config.remote_entry(options.client, options.url, session_id)
    if options.session_id:
        return client_config.remote_entry(CLOUD_AGENT, options.url, "$COPILOT_MCP_SESSION_ID")
    return client_config.machine_entry(options.url, options.source, options.scope)


def _own_file(options: argparse.Namespace) -> Path | None:
    """Return the client's own file; the cloud agent has none."""
    client = CLIENTS[options.client]
    file = client.file_everywhere if options.is_global else client.file
    folder = os.environ.get(client.folder_variable) if client.folder_variable else None
    if folder:
        return Path(folder) / Path(file).name
    return Path(file).expanduser() if file else None


def _write(options: argparse.Namespace, entry: Entry) -> None:
    section, name = CLIENTS[options.client].section, options.name
    path: Path | None = _own_file(options) if options.write is True else options.write
    if path is None:
        raise InvalidInput(f"There is no file to write: paste it into {GITHUB_PLACE}.")
    file = ClientFile.read(path)
    if file.members is None:
        print(client_config.document(options.client, name, entry))
        raise InvalidInput(
            f"{file.path} is not plain JSON, as with comments, and stays as it was: "
            "put the above into it yourself."
        )
    present = file.entry(section, name)
    if present == entry:
        print(f'{file.path} has this server already, as "{name}".')
        return
    if present is not None and not options.yes:
        _ask(file.path, name, present, entry)
    file.replace(file.with_entry(section, name, entry), holds_a_secret=options.session_id)
    print(f'{file.path} has the server now, as "{name}".')
    if not file.keeps_its_layout:
        print("All else in it means what it did, but was laid out afresh.")
    if options.session_id and file.others_may_read:
        print(f"Others on this machine may read it: chmod 600 {file.path}")


def _ask(path: Path, name: str, present: object, entry: Entry) -> None:
    """Show what would change, and return if a person agrees. Raises InvalidInput otherwise."""
    if not sys.stdin.isatty():
        raise InvalidInput(
            f'{path} has another server "{name}": --yes replaces it, --name adds this beside it.'
        )
    before, after = (json.dumps(each, indent=2).splitlines() for each in (present, entry))
    changes = difflib.unified_diff(before, after, "now", "then", lineterm="")
    print(*changes, sep="\n", file=sys.stderr)
    print(f'Replace "{name}" in {path}? [y/N] ', end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise InvalidInput("Nothing was changed.")
