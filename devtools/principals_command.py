"""`rally-mcp principals`: who is signed in, and ending it for one, some or all."""

import argparse
import hashlib
import re
from datetime import timedelta
from typing import Any

from devtools import administrator
from rally_mcp.audit import AuditEvent
from rally_mcp.authorization_server.registration import cleaned_name
from rally_mcp.bootstrap.foundations import now
from rally_mcp.settings import Settings
from rally_mcp.sign_in.principal_administration import (
    PrincipalAdministration,
    PrincipalSummary,
    Selection,
)
from rally_mcp.sign_in.principals import Principals
from rally_mcp.sign_in.records import PRINCIPALS, PrincipalRecord
from rally_mcp.storage.collection import Collection
from rally_mcp.storage.port import Store

_AGE = re.compile(r"([0-9]{1,5})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its actions."""
    principals = commands.add_parser("principals", help="see who is signed in, and end it")
    actions = principals.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, meaning in (
        ("list", "list chats and MCP clients that are signed in, or on the way"),
        ("revoke", "delete their tokens; it acts on the next request everywhere"),
    ):
        parser = actions.add_parser(action, help=meaning)
        parser.add_argument("--user", default="", help="an upstream user's name or id")
        parser.add_argument("--client", default="", metavar="ID", help="an MCP client's id")
        parser.add_argument(
            "--older-than",
            type=_age,
            metavar="AGE",
            help="signed in that long ago: 30d, 12h, 90m",
        )
        if action == "list":
            parser.add_argument("--json", action="store_true", dest="as_json")
        else:
            parser.add_argument("--all", action="store_true", help="everybody")


def run(options: argparse.Namespace) -> int:
    """Run one action; return the exit code."""
    selection = Selection(options.user, options.client, options.older_than)

    async def work(store: Store, _: Settings) -> None:
        principals = Principals(Collection(store, PRINCIPALS, PrincipalRecord), now)
        administration = PrincipalAdministration(principals, now)
        if options.action == "list":
            await _list(administration, selection, as_json=options.as_json)
            return
        if (selection == Selection()) != options.all:
            administrator.refuse("Say who: --user, --client, --older-than, or --all alone.")
        administrator.announce(
            AuditEvent.PRINCIPAL_REVOKED,
            "principals revoke",
            user=options.user,
            client=options.client,
            older_than=options.older_than and str(options.older_than),
            everybody=options.all,
        )
        revoked = await administration.revoke(selection)
        if not revoked and (options.user or options.client):
            administrator.refuse(
                "Nobody was revoked: nobody matches. `rally-mcp principals list` names them, and "
                "FIRESTORE_DATABASE the database that it looks into."
            )
        print(f"{revoked} revoked.")

    return administrator.run(work)


async def _list(
    administration: PrincipalAdministration, selection: Selection, *, as_json: bool
) -> None:
    described = [_described(summary) async for summary in administration.select(selection)]
    if as_json:
        administrator.print_json(described)
        return
    for each in described:
        users = ", ".join(f"{cleaned_name(who)} ({where})" for where, who in each["users"].items())
        through = each["client_name"] or each["client_id"] or "chat"
        since = f"{each['signed_in_at']:%Y-%m-%d %H:%M}"
        print(f"{each['principal']}  {since}  {through[:40]:40}  {users or 'on the way'}")


def _described(summary: PrincipalSummary) -> dict[str, Any]:
    # A grant's key is its id, with which anybody could have it revoked: shown as in the audit log.
    is_grant = bool(summary.client_id)
    shown = hashlib.sha256(summary.key.encode()).hexdigest() if is_grant else summary.key
    return {
        "principal": shown[:12],
        "client_id": summary.client_id,
        "client_name": summary.client_name,
        "users": {upstream: user.name for upstream, user in summary.users.items()},
        "user_ids": {upstream: user.id for upstream, user in summary.users.items()},
        "scope": " ".join(summary.scopes),
        "signed_in_at": summary.signed_in_at,
        "ends_at": summary.ends_at,
    }


def _age(text: str) -> timedelta:
    form = _AGE.fullmatch(text)
    if form is None:
        raise argparse.ArgumentTypeError("must be a number and d, h or m, as in 30d")
    return timedelta(**{_UNITS[form[2]]: int(form[1])})
