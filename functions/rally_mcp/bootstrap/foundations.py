"""What every function stands on, and its start."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rally_mcp import logs
from rally_mcp.bootstrap.configuration import load
from rally_mcp.errors import ConfigurationError
from rally_mcp.identity_providers.declaration import IdentityProvider, ServiceAccount
from rally_mcp.identity_providers.registry import UPSTREAMS, permissions_of
from rally_mcp.secret_store import SecretStore
from rally_mcp.settings import Function, Settings
from rally_mcp.sign_in.principals import Principals
from rally_mcp.sign_in.records import OAUTH_STATES, PRINCIPALS, OAuthState, PrincipalRecord
from rally_mcp.sign_in.states import States
from rally_mcp.storage.collection import Collection
from rally_mcp.storage.port import Store

if TYPE_CHECKING:
    import httpx
    from starlette.types import ASGIApp

HttpClient = Callable[[], "httpx.AsyncClient"]


def now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Foundations:
    """What every function stands on. Tests bring their own clock, store and HTTP client."""

    settings: Settings
    store: Store
    clock: Callable[[], datetime]
    http: HttpClient
    secrets: SecretStore
    upstreams: Mapping[str, IdentityProvider | ServiceAccount]
    """What this deployment stands in front of, in the order of the settings."""
    providers: Mapping[str, IdentityProvider]
    """Those of them that people sign in to."""
    principals: Principals
    states: States

    @property
    def permissions(self) -> Mapping[str, str]:
        """What each scope allows, for people to read."""
        return permissions_of(self.upstreams)

    @property
    def sign_in_provider(self) -> IdentityProvider | None:
        """The upstream that sign-in by the MCP specification goes through; None without any."""
        return next(iter(self.providers.values()), None)


def start(function: Function, create: "Callable[[Foundations], ASGIApp]") -> "ASGIApp":
    """Read the environment and create the function's application on top of it.

    A missing or wrong setting ends the process with one line that names it and the remedy.
    """
    # functions-framework reads this after importing the function, and would switch off every
    # logger made until then, the audit log's too. Google sets it on deployed functions.
    os.environ["LOG_EXECUTION_ID"] = "false"
    # The server, made after the function is imported, would take whoever connects from this
    # machine for a proxy, and believe the address that he writes into X-Forwarded-For.
    os.environ["FORWARDED_ALLOW_IPS"] = ""
    try:
        settings = load(function)
        logs.configure(function, settings.google_cloud_project or None)
        app = create(foundations(settings))
    except ConfigurationError as error:
        raise SystemExit(error.message) from None
    if settings.sign_in_confirmation == "none":
        logs.event(
            "WARNING",
            "SIGN_IN_CONFIRMATION=none: whoever opens a sign-in link connects their account to "
            "the chat that made it. Use code unless every user knows this.",
        )
    return app


def foundations(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = now,
    store: Store | None = None,
    http: HttpClient | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Foundations:
    """Wire what every function stands on, from the settings and whatever a test brings."""
    store = store or open_store(settings, clock)
    upstreams = {name: UPSTREAMS[name].declared(settings) for name in settings.upstreams}
    providers = {
        name: upstream
        for name, upstream in upstreams.items()
        if isinstance(upstream, IdentityProvider)
    }
    principals = Principals(Collection(store, PRINCIPALS, PrincipalRecord), clock)
    states = Collection(store, OAUTH_STATES, OAuthState)
    return Foundations(
        settings=settings,
        store=store,
        clock=clock,
        http=http or _http_client(),
        secrets=SecretStore(clock=clock, environment=environment),
        upstreams=upstreams,
        providers=providers,
        principals=principals,
        states=States(states, principals, providers, clock),
    )


def open_store(settings: Settings, clock: Callable[[], datetime]) -> Store:
    """Open the store that the settings name."""
    if settings.storage == "sqlite":
        from rally_mcp.storage.sqlite import SqliteStore

        return SqliteStore(Path(settings.sqlite_path), clock=clock)
    from rally_mcp.storage.firestore import FirestoreStore

    return FirestoreStore(settings.google_cloud_project, settings.firestore_database, clock=clock)


def _http_client() -> HttpClient:
    """Return a function that makes this process's one HTTP client on first use."""
    made: list[httpx.AsyncClient] = []

    def client() -> "httpx.AsyncClient":
        if not made:
            from rally_mcp.http_client import new_client

            made.append(new_client())
        return made[0]

    return client
