"""`rally-mcp clients`: the OAuth clients that an administrator adds, and those he refuses."""

import argparse
import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from devtools import administrator
from rally_mcp.audit import AuditEvent
from rally_mcp.authorization_server import redirect_uris
from rally_mcp.authorization_server.client_administration import ClientAdministration, NewClient
from rally_mcp.authorization_server.client_assertions import public_keys
from rally_mcp.authorization_server.client_records import (
    OAUTH_CLIENTS,
    UNTIL_REMOVED,
    AuthenticationMethod,
    ClientRecord,
)
from rally_mcp.authorization_server.registration import cleaned_name
from rally_mcp.bootstrap.foundations import now
from rally_mcp.errors import InvalidInput
from rally_mcp.identity_providers.registry import PERMISSIONS
from rally_mcp.secret_store import SecretReference
from rally_mcp.settings import Settings
from rally_mcp.sign_in.principal_administration import PrincipalAdministration, Selection
from rally_mcp.sign_in.principals import Principals
from rally_mcp.sign_in.records import PRINCIPALS, PrincipalRecord
from rally_mcp.storage.collection import Collection
from rally_mcp.storage.limits import check_stored
from rally_mcp.storage.port import Store, Stored

_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its actions."""
    clients = commands.add_parser("clients", help="manage OAuth clients in the deployment's store")
    actions = clients.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_add(actions)
    shown = actions.add_parser("list", help="list the clients that were added or refused")
    shown.add_argument("--json", action="store_true", dest="as_json")
    show = actions.add_parser("show", help="show one client, without its secrets")
    show.add_argument("client_id")
    rotate = actions.add_parser("rotate", help="give a client another secret, shown once")
    rotate.add_argument("client_id")
    rotate.add_argument(
        "--overlap",
        type=int,
        default=24,
        metavar="HOURS",
        help="how long the secret before stays good (default 24, 0 ends it now)",
    )
    for action, meaning in (
        ("disable", "refuse a client from now on: added, self-registered or by metadata document"),
        ("enable", "admit it again"),
        ("remove", "remove a client, or the refusal of one"),
    ):
        actions.add_parser(action, help=meaning).add_argument("client_id")


def run(options: argparse.Namespace) -> int:
    """Run one action; return the exit code."""

    async def work(store: Store, _: Settings) -> None:
        clients = ClientAdministration(Collection(store, OAUTH_CLIENTS, ClientRecord), now)
        match options.action:
            case "add":
                await _add(clients, options)
            case "list":
                await _list(clients, as_json=options.as_json)
            case "show":
                record = await clients.get(options.client_id)
                administrator.print_json(_described(options.client_id, record))
            case "rotate":
                await _rotate(clients, options)
            case _:
                await _end_or_admit(clients, store, options)

    return administrator.run(work)


def _add_add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    add = actions.add_parser("add", help="add a client; its secret is shown once")
    add.add_argument("name", help="what people call it")
    add.add_argument(
        "--redirect-uri",
        action="append",
        default=[],
        metavar="URI",
        help="makes it a client for people; without one it is a machine client",
    )
    add.add_argument(
        "--scope",
        action="append",
        choices=tuple(PERMISSIONS),
        help="what it may ask for; rally:read when not given",
    )
    add.add_argument(
        "--auth-method",
        choices=_METHODS,
        help="client_secret_basic when not given, none for people",
    )
    add.add_argument(
        "--rally-api-key",
        default="",
        metavar="REFERENCE",
        help="where a machine client's own Rally API key is: "
        "projects/P/secrets/S/versions/V, env:NAME or file:PATH",
    )
    add.add_argument(
        "--access-seconds",
        type=int,
        metavar="SECONDS",
        help="life of a machine client's access tokens, 60 to 3600 (default 3600)",
    )
    add.add_argument("--jwks", type=Path, metavar="FILE", help="public keys for private_key_jwt")
    add.add_argument("--json", action="store_true", dest="as_json")


async def _add(clients: ClientAdministration, options: argparse.Namespace) -> None:
    new = _new_client(options)
    administrator.announce(AuditEvent.CLIENT_CHANGED, "clients add", name=new.name)
    added = await clients.add(new)
    answer = {
        "client_id": added.client_id,
        "client_secret": added.client_secret,
        "token_endpoint_auth_method": new.authentication,
        "scope": " ".join(new.scopes),
    }
    if options.as_json:
        administrator.print_json(answer)
        return
    for name, value in answer.items():
        if value:
            print(f"{name}: {value}")
    if new.kind == "machine" and set(new.scopes) != _whole_areas(new.scopes):
        print("Some MCP libraries ask for every scope there is, and are then refused: give their")
        print("clients every scope, and Rally's own permissions to the user of the API key.")
    if added.client_secret:
        print("The secret is shown this once. Keep it where the client reads it.")


def _whole_areas(scopes: Iterable[str]) -> set[str]:
    """Return every scope of the upstreams that `scopes` are about."""
    areas = {scope.partition(":")[0] for scope in scopes}
    return {scope for scope in PERMISSIONS if scope.partition(":")[0] in areas}


def _new_client(options: argparse.Namespace) -> NewClient:
    is_machine = not options.redirect_uri
    name = cleaned_name(options.name)
    method: AuthenticationMethod = options.auth_method or (
        "client_secret_basic" if is_machine else "none"
    )
    if not name:
        administrator.refuse("Give the client a name that people can read.")
    if is_machine and method == "none":
        administrator.refuse("A machine client authenticates: choose another --auth-method.")
    if (method == "private_key_jwt") != (options.jwks is not None):
        administrator.refuse("--jwks and --auth-method private_key_jwt go together.")
    if options.access_seconds is not None and not is_machine:
        administrator.refuse("--access-seconds is for machine clients; people's live an hour.")
    access_seconds = 3600 if options.access_seconds is None else options.access_seconds
    if not 60 <= access_seconds <= 3600:  # noqa: PLR2004 a minute to an hour
        administrator.refuse("--access-seconds must be from 60 to 3600.")
    if options.rally_api_key and not is_machine:
        administrator.refuse("People sign in to Rally: --rally-api-key is for machine clients.")
    for uri in options.redirect_uri:
        redirect_uris.check(uri)
    scopes = options.scope or ["rally:read"]
    return NewClient(
        kind="machine" if is_machine else "registered",
        name=name,
        authentication=method,
        scopes=tuple(scope for scope in PERMISSIONS if scope in scopes),
        redirect_uris=tuple(options.redirect_uri),
        rally_api_key=_reference(options.rally_api_key),
        access_seconds=access_seconds,
        jwks=_keys(options.jwks) if options.jwks else None,
    )


def _reference(text: str) -> str:
    try:
        return str(SecretReference.parse(text)) if text else ""
    except ValueError as error:
        raise InvalidInput(f"--rally-api-key {error}") from None


def _keys(path: Path) -> dict[str, Any]:
    try:
        keys: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        public_keys(keys)
        check_stored(Stored(keys, UNTIL_REMOVED))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInput(f"--jwks {path}: {error}") from None
    return keys


async def _list(clients: ClientAdministration, *, as_json: bool) -> None:
    described = [_described(key, record) async for key, record in clients.all()]
    if as_json:
        administrator.print_json(described)
        return
    for each in described:
        state = "disabled" if each["disabled"] else "enabled"
        print(f"{each['client_id']}  {each['kind']:10}  {state:8}  {each['name']}")


async def _rotate(clients: ClientAdministration, options: argparse.Namespace) -> None:
    if options.overlap < 0:
        administrator.refuse("--overlap must be 0 or more hours.")
    administrator.announce(AuditEvent.CLIENT_CHANGED, "clients rotate", client=options.client_id)
    secret = await clients.rotate(options.client_id, timedelta(hours=options.overlap))
    print(f"client_secret: {secret}", flush=True)
    print("The secret is shown this once. Keep it where the client reads it.")


async def _end_or_admit(
    clients: ClientAdministration, store: Store, options: argparse.Namespace
) -> None:
    client_id, action = options.client_id, options.action
    administrator.announce(AuditEvent.CLIENT_CHANGED, f"clients {action}", client=client_id)
    if action == "remove":
        await clients.remove(client_id)
    else:
        await clients.set_disabled(client_id, disabled=action == "disable")
    if action == "enable":
        print("Enabled.")
        return
    principals = Principals(Collection(store, PRINCIPALS, PrincipalRecord), now)
    ended = await PrincipalAdministration(principals, now).revoke(Selection(client_id=client_id))
    print(f"Done. Sign-ins through it that were ended: {ended}.")


def _described(client_id: str, record: ClientRecord) -> dict[str, Any]:
    """Return what may be shown: everything but hashes."""
    moment = now()
    live = [each for each in record.secrets if each.ends_at is None or each.ends_at > moment]
    return {
        "client_id": client_id,
        "kind": record.kind,
        "name": record.name,
        "disabled": record.disabled,
        "created_at": record.created_at,
        "token_endpoint_auth_method": record.authentication,
        "scope": " ".join(record.scopes),
        "redirect_uris": record.redirect_uris,
        "rally_api_key": record.rally_api_key,
        "access_seconds": record.access_seconds,
        "secrets": [{"created_at": each.created_at, "ends_at": each.ends_at} for each in live],
        "live_access_tokens": sum(each.expires_at > moment for each in record.access),
    }
