"""What only Google's own services can tell: the database, its TTL policies, the client secrets.

Asked with the credentials of whoever runs doctor, not with the functions'. What these may not do
is not checked, and the role that allows it is named.
"""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync

from devtools.doctor import store_check
from devtools.doctor.checks import Check, Failed, NotChecked, NotPermitted, required
from rally_mcp.authorization_server.client_records import OAUTH_CLIENTS
from rally_mcp.authorization_server.login_attempts import ATTEMPTS
from rally_mcp.authorization_server.replay_marks import REPLAY_MARKS
from rally_mcp.bootstrap.foundations import now
from rally_mcp.identity_providers.registry import UPSTREAMS
from rally_mcp.secret_store import SecretReference, SecretStore, SecretUnreadable
from rally_mcp.sign_in.records import OAUTH_STATES, PRINCIPALS
from rally_mcp.storage.port import Store

if TYPE_CHECKING:
    # At run time the libraries are imported by the first check that needs them.
    from google.cloud.firestore_admin_v1 import Field
    from google.cloud.firestore_admin_v1.services.firestore_admin import FirestoreAdminAsyncClient
    from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient

COLLECTIONS = (OAUTH_STATES, PRINCIPALS, OAUTH_CLIENTS, REPLAY_MARKS, ATTEMPTS)
"""Each has a TTL policy on `expire_at`."""

DATABASE = "rally-mcp"
"""What the database is called, after the deployment's prefix."""

_SECONDS = 20.0
"""For one request to an API of Google's."""

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def _open_store(project: str, database: str) -> Store:
    from rally_mcp.storage.firestore import FirestoreStore

    return FirestoreStore(project, database, clock=now)


def _administration() -> "FirestoreAdminAsyncClient":
    from google.cloud.firestore_admin_v1.services.firestore_admin import FirestoreAdminAsyncClient

    return FirestoreAdminAsyncClient()


async def _find_credentials() -> None:
    await run_sync(_refresh_credentials, abandon_on_cancel=True)


def _refresh_credentials() -> None:
    import google.auth
    from google.auth.transport.requests import Request

    # Those that have ended are found like any other: only a new access token tells.
    credentials, _ = google.auth.default(scopes=[_SCOPE])
    request = partial(Request(), timeout=_SECONDS)
    credentials.refresh(request)  # type: ignore[no-untyped-call]  # the library left it untyped


def _is_emulated() -> bool:
    return bool(os.environ.get("FIRESTORE_EMULATOR_HOST"))


@dataclass(frozen=True, slots=True)
class Google:
    """How Google's services are reached; tests bring stand-ins.

    `find_credentials` gets an access token. It raises google.auth's DefaultCredentialsError where
    there are no credentials, RefreshError where they have ended, TransportError without an answer.
    """

    find_credentials: Callable[[], Awaitable[None]] = _find_credentials
    open_store: Callable[[str, str], Store] = _open_store
    administration: Callable[[], "FirestoreAdminAsyncClient"] = _administration
    secret_manager: "Callable[[], SecretManagerServiceAsyncClient] | None" = None
    is_emulated: Callable[[], bool] = _is_emulated


@dataclass(frozen=True, slots=True)
class Database:
    """A Firestore database."""

    project: str
    name: str

    @property
    def prefix(self) -> str:
        """What the names of this deployment's parts begin with.

        A database that was restored may have something more at its end.
        """
        before, found, _ = self.name.partition(DATABASE)
        return before if found else ""


def credentials_check(google: Google) -> Check[None]:
    """Return the check that there are Google credentials on this machine, and that they work."""
    return Check("Google credentials", lambda: _credentials(google))


def database_checks(
    google: Google, database: Database, credentials: Check[None], *, is_required: bool
) -> Sequence[Check[Any]]:
    """Return the checks of a database and its TTL policies.

    `is_required` says that whatever runs here has to have access to the documents.
    """

    async def look() -> None:
        await store_check.round_trip(google.open_store(database.project, database.name))

    store = Check(
        f"Firestore database {database.name}",
        required(look) if is_required else look,
        () if google.is_emulated() else (credentials,),
    )
    policies = Check("TTL policies", lambda: ttl_policies(google, database), (store,))
    return store, policies


async def _credentials(google: Google) -> None:
    from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError

    try:
        await google.find_credentials()
    except DefaultCredentialsError:
        raise Failed(
            "there are none on this machine",
            "run `gcloud auth application-default login`, or run this as a service account",
        ) from None
    except RefreshError as error:
        if error.retryable:
            raise _no_answer() from None
        raise Failed("they have ended", "run `gcloud auth application-default login`") from None
    except TransportError:
        raise _no_answer() from None


def _no_answer() -> Failed:
    return Failed(
        "Google does not answer",
        "check this machine's way to oauth2.googleapis.com (HTTPS_PROXY, SSL_CERT_FILE), and try "
        "again",
    )


async def ttl_policies(google: Google, database: Database) -> None:
    """See that documents of every collection are deleted after their end."""
    if google.is_emulated():
        raise NotChecked("the emulator has no TTL policies")
    states = await _ttl_states(google, database)
    missing = [name for name in COLLECTIONS if states.get(name, "") not in {"ACTIVE", "CREATING"}]
    if missing:
        raise Failed(
            f"no working policy on expire_at for {', '.join(missing)}: documents would stay for "
            "ever",
            "run terraform apply, or for each `gcloud firestore fields ttls update expire_at "
            f"--collection-group=COLLECTION --enable-ttl --database={database.name}`",
        )


async def _ttl_states(google: Google, database: Database) -> dict[str, str]:
    """Return the state of the TTL policy on `expire_at` by collection."""
    from google.api_core import exceptions

    client = google.administration()
    parent = f"projects/{database.project}/databases/{database.name}/collectionGroups/-"
    try:
        fields = await client.list_fields(
            request={"parent": parent, "filter": "ttlConfig:*"}, timeout=_SECONDS
        )
        return dict([_state(field) async for field in fields if _is_expire_at(field)])
    except exceptions.Forbidden:
        raise NotPermitted(
            "this Google account may not list the database's fields",
            "grant it roles/datastore.viewer on the project",
        ) from None
    except exceptions.GoogleAPIError as error:
        raise Failed(
            f"Firestore does not tell them ({type(error).__name__})",
            "check --project and --database, and try again",
        ) from error
    finally:
        await client.transport.close()  # type: ignore[no-untyped-call]  # the library left it untyped


def _is_expire_at(field: "Field") -> bool:
    return field.name.endswith("/fields/expire_at")


def _state(field: "Field") -> tuple[str, str]:
    collection = field.name.split("/")[-3]
    return collection, field.ttl_config.state.name


async def client_secrets(google: Google, database: Database, upstreams: Sequence[str]) -> list[str]:
    """Read the client secret of each upstream, and return the secrets' names."""
    names = [secret_name(database, each) for each in upstreams if each in UPSTREAMS]
    for name in names:
        reference = f"projects/{database.project}/secrets/{name}/versions/latest"
        await readable_secret(google, SecretReference.parse(reference), os.environ)
    return names


def secret_name(database: Database, upstream: str) -> str:
    """Return what the secret with an upstream's client secret is called."""
    return f"{database.prefix}{UPSTREAMS[upstream].settings.PREFIX[:-1].lower()}-client-secret"


async def readable_secret(
    google: Google, reference: SecretReference, environment: Mapping[str, str]
) -> None:
    """Read a secret and forget it. Raises Failed, and NotPermitted without the role."""
    from google.api_core.exceptions import Forbidden

    secrets = SecretStore(clock=now, client_factory=google.secret_manager, environment=environment)
    try:
        await secrets.get(reference)
    except SecretUnreadable as error:
        if isinstance(error.__cause__, Forbidden):
            raise NotPermitted(
                f"this Google account may not read {reference}",
                "grant it roles/secretmanager.secretAccessor on the secret",
            ) from None
        problem, _, remedy = error.problem.rstrip(".").partition("; ")
        raise Failed(problem, remedy or "put the secret there as text") from None
    finally:
        await secrets.close()
