"""This machine's environment: the settings of each function, and whether they lead somewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from devtools.doctor import google_cloud, sign_in, store_check
from devtools.doctor.checks import Check, Failed, NotChecked, required
from devtools.doctor.functions import Outside
from devtools.doctor.google_cloud import Database, Google
from rally_mcp.bootstrap.configuration import load, load_for_storage
from rally_mcp.bootstrap.foundations import now, open_store
from rally_mcp.errors import ConfigurationError
from rally_mcp.identity_providers.declaration import IdentityProvider
from rally_mcp.identity_providers.registry import UPSTREAMS
from rally_mcp.secret_store import SecretReference
from rally_mcp.settings import Function, Settings

Loaded = Settings | ConfigurationError


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment, with the settings of each function as far as they can be read."""

    variables: Mapping[str, str]
    functions: Mapping[Function, Loaded]
    storage: Loaded

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "Environment":
        """Read the settings."""
        functions = {function: _loaded(variables, function) for function in Function}
        return cls(variables, functions, _loaded(variables))

    @property
    def redirect_uri(self) -> str | None:
        """The redirect URI to register at the upstreams, if the settings have it."""
        settings = self.functions[Function.OAUTH_CALLBACK]
        return settings.callback_url if isinstance(settings, Settings) else None

    def secrets(self) -> Mapping[str, SecretReference]:
        """Return the secret references of the settings by their variables."""
        found: dict[str, SecretReference] = {}
        for function, settings in self.functions.items():
            if isinstance(settings, Settings):
                kinds = [UPSTREAMS[name].settings for name in settings.upstreams]
                for kind in kinds:
                    reference = getattr(settings.of(kind), "client_secret", None)
                    if reference and "client_secret" in kind.NEEDED.get(function, ()):
                        found[kind.variable("client_secret")] = reference
        return found


def _loaded(variables: Mapping[str, str], function: Function | None = None) -> Loaded:
    try:
        return load(function, variables) if function else load_for_storage(variables)
    except ConfigurationError as error:
        return error


def environment_checks(
    environment: Environment, outside: Outside, google: Google
) -> Sequence[Check[Any]]:
    """Return the checks of an environment, in order."""
    settings = {
        function: Check(f"settings of {function}", partial(_accepted, loaded))
        for function, loaded in environment.functions.items()
    }
    credentials = google_cloud.credentials_check(google)
    storage = _storage_checks(environment, google, credentials)
    secrets = _secret_checks(environment, google, credentials, settings[Function.OAUTH_CALLBACK])
    needs_credentials = any(credentials in check.after for check in (*storage, *secrets))
    return (
        *settings.values(),
        *((credentials,) if needs_credentials else ()),
        *storage,
        *secrets,
        *_upstream_checks(environment, outside, settings[Function.AUTH_REDIRECT]),
    )


async def _accepted(loaded: Loaded) -> Settings:
    if isinstance(loaded, Settings):
        return loaded
    problem = loaded.message.partition(": ")[2]
    raise Failed(problem, "docs/settings.md says what each variable must be")


def _storage_checks(
    environment: Environment, google: Google, credentials: Check[None]
) -> Sequence[Check[Any]]:
    loaded = environment.storage
    if not isinstance(loaded, Settings):
        return (Check("settings of the store", partial(_accepted, loaded)),)
    if loaded.storage == "firestore":
        database = Database(loaded.google_cloud_project, loaded.firestore_database)
        return google_cloud.database_checks(google, database, credentials, is_required=True)

    async def look() -> None:
        await store_check.see_file(loaded.sqlite_path)
        await store_check.round_trip(open_store(loaded, now))

    return (Check(f"SQLite file {loaded.sqlite_path}", look),)


def _secret_checks(
    environment: Environment, google: Google, credentials: Check[None], settings: Check[Any]
) -> Sequence[Check[Any]]:
    def check(variable: str, reference: SecretReference) -> Check[None]:
        look = partial(google_cloud.readable_secret, google, reference, environment.variables)
        is_google = reference.source == "secret_manager"
        name = f"secret of {variable}"
        return Check(name, required(look), (credentials,) if is_google else ())

    found = [check(*each) for each in environment.secrets().items()]
    return found or (Check("client secrets", _nothing, (settings,)),)


def _upstream_checks(
    environment: Environment, outside: Outside, settings: Check[Any]
) -> Sequence[Check[Any]]:
    loaded = environment.functions[Function.AUTH_REDIRECT]
    if not isinstance(loaded, Settings):
        return (Check("upstreams' authorization endpoints", _nothing, (settings,)),)

    def check(provider: IdentityProvider) -> Check[None]:
        request = sign_in.new_request(provider)
        look = partial(sign_in.upstream_accepts, outside.requests, provider.title, request)
        return Check(f"authorization endpoint of {provider.title}", look)

    declared = [UPSTREAMS[name].declared(loaded) for name in loaded.upstreams]
    return [check(each) for each in declared if isinstance(each, IdentityProvider)]


async def _nothing() -> None:
    raise NotChecked("the settings name none")
