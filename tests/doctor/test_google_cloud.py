"""What doctor finds out from Google with the credentials of whoever runs it."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

import grpc
import pytest
from google.api_core import exceptions as errors
from google.auth.exceptions import DefaultCredentialsError

from devtools.doctor import google_cloud
from devtools.doctor.google_cloud import COLLECTIONS, Database, Google
from rally_mcp.authorization_server.replay_marks import REPLAY_MARKS
from rally_mcp.bootstrap.foundations import now
from rally_mcp.errors import ConfigurationError, UpstreamUnavailable
from rally_mcp.storage.firestore import FirestoreStore
from rally_mcp.storage.port import Store, Stored
from rally_mcp.storage.sqlite import SqliteStore
from tests.doctor.examined import Examined, failed, lines, outcomes
from tests.doctor.firestore_admin_server import FirestoreAdminServer
from tests.fixtures.raw_http import served
from tests.secret_manager_server import SecretManagerServer

DATABASE = Database("project-1", "dev-rally-mcp")
STORE = "Firestore database dev-rally-mcp"
SECRET = "projects/project-1/secrets/dev-rally-client-secret"
VERSION = f"{SECRET}/versions/latest"


class RefusingStore(SqliteStore):
    """A store that refuses, as Firestore does with this error of Google's."""

    def __init__(self, error: Exception, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._error = error

    async def create(self, *_: Any) -> bool:
        if isinstance(self._error, errors.ServiceUnavailable):
            raise UpstreamUnavailable("The database does not answer") from self._error
        raise ConfigurationError("Firestore refuses. Check this and that") from self._error


class ForgetfulStore(SqliteStore):
    """A store that keeps nothing."""

    async def get(self, *_: Any) -> Stored | None:
        return None


async def found() -> None:
    """Find credentials."""


async def none_found() -> None:
    raise DefaultCredentialsError("none were found")


@pytest.fixture
async def administration() -> AsyncIterator[FirestoreAdminServer]:
    async with FirestoreAdminServer(**dict.fromkeys(COLLECTIONS, "ACTIVE")) as server:
        yield server


@pytest.fixture
async def secret_manager() -> AsyncIterator[SecretManagerServer]:
    async with SecretManagerServer() as server:
        server.add_version(SECRET, b"correct horse")
        yield server


@pytest.fixture
def google(administration, secret_manager, tmp_path) -> Google:
    """Google's services, with a deployment's database and secret."""
    return Google(
        find_credentials=found,
        open_store=lambda *_: SqliteStore(tmp_path / "store.db", clock=now),
        administration=administration.client,
        secret_manager=secret_manager.client,
        is_emulated=lambda: False,
    )


async def test_a_deployment_with_all_its_parts_is_well(
    examined: Examined, google: Google, administration
) -> None:
    report = await examined.report_with(google, DATABASE)

    assert failed(report) == {}
    assert lines(report)[-4:] == [
        "ok    Google credentials",
        f"ok    {STORE}",
        "ok    TTL policies",
        "ok    client secrets: dev-rally-client-secret",
    ]
    [asked, _] = administration.requests
    assert asked.parent == "projects/project-1/databases/dev-rally-mcp/collectionGroups/-"
    assert asked.filter == "ttlConfig:*"


async def test_google_is_asked_nothing_where_no_project_is_named(examined: Examined) -> None:
    report = await examined.report()

    assert "Google credentials" not in outcomes(report)


async def test_the_secret_of_each_upstream_is_read_and_none_is_told(
    deploy_with, google: Google, secret_manager
) -> None:
    deployment = deploy_with("rally,entra_id,yata")
    applications = served(deployment).applications | deployment.further
    examined = Examined(applications, deployment.clock)
    for name in ("entra", "yata"):
        secret_manager.add_version(f"projects/project-1/secrets/{name}-client-secret", b"s3cret")
    secret_manager.add_version("projects/project-1/secrets/rally-client-secret", b"s3cret")

    report = await examined.report_with(google, replace(DATABASE, name="(default)"))

    named = "rally-client-secret, entra-client-secret, yata-client-secret"
    assert f"ok    client secrets: {named}" in lines(report)
    assert "s3cret" not in report.as_json() + "".join(lines(report))


async def test_without_credentials_that_alone_fails(examined: Examined, google: Google) -> None:
    report = await examined.report_with(replace(google, find_credentials=none_found), DATABASE)

    [(name, finding)] = failed(report).items()
    assert name == "Google credentials"
    assert "gcloud auth application-default login" in finding.remedy
    assert {outcomes(report)[each] for each in (STORE, "TTL policies", "client secrets")} == {
        "not_checked"
    }


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("rally-mcp", ""), ("dev-rally-mcp", "dev-"), ("dev-rally-mcp-2", "dev-"), ("(default)", "")],
)
def test_the_parts_of_a_database_that_was_restored_keep_their_prefix(
    name: str, prefix: str
) -> None:
    database = Database("project-1", name)

    assert google_cloud.secret_name(database, "rally") == f"{prefix}rally-client-secret"


@pytest.mark.parametrize(
    ("error", "seen", "to_do"),
    [
        (errors.NotFound("x"), "there is no such database", "create it with terraform apply"),
        (errors.FailedPrecondition("x"), "in Datastore mode", "make another one in Native mode"),
        (errors.ServiceUnavailable("x"), "The database does not answer", "try again"),
        (errors.Unauthenticated("x"), "Firestore refuses", "check this and that"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_a_database_that_cannot_be_used_is_found(
    examined: Examined, google: Google, tmp_path, error: Exception, seen: str, to_do: str
) -> None:
    refusing = partial(RefusingStore, error, tmp_path / "store.db", clock=now)

    report = await examined.report_with(replace(google, open_store=lambda *_: refusing()), DATABASE)

    [(name, finding)] = failed(report).items()
    assert name == STORE
    assert seen in finding.problem
    assert to_do in finding.remedy
    assert outcomes(report)["TTL policies"] == "not_checked"


async def test_a_database_that_keeps_nothing_is_found(
    examined: Examined, google: Google, tmp_path
) -> None:
    forgetful = partial(ForgetfulStore, tmp_path / "store.db", clock=now)

    report = await examined.report_with(
        replace(google, open_store=lambda *_: forgetful()), DATABASE
    )

    assert "is not there" in failed(report)[STORE].problem
    assert "check this machine's clock" in failed(report)[STORE].remedy


async def test_what_the_account_may_not_do_is_not_checked_and_the_role_is_named(
    examined: Examined, google: Google, tmp_path, administration, secret_manager
) -> None:
    denied = errors.PermissionDenied("x")
    refusing = partial(RefusingStore, denied, tmp_path / "store.db", clock=now)
    administration.refusal = grpc.StatusCode.PERMISSION_DENIED
    secret_manager.refuse(VERSION, grpc.StatusCode.PERMISSION_DENIED)

    report = await examined.report_with(replace(google, open_store=lambda *_: refusing()), DATABASE)

    assert report.ok
    remedies = {each.name: each.remedy for each in report.findings if "may not" in each.problem}
    assert remedies == {
        STORE: "grant it roles/datastore.user on the project",
        "TTL policies": "grant it roles/datastore.viewer on the project",
        "client secrets": "grant it roles/secretmanager.secretAccessor on the secret",
    }
    assert outcomes(report).items() >= dict.fromkeys(remedies, "not_checked").items()


@pytest.mark.parametrize("state", ["", "NEEDS_REPAIR"])
async def test_a_collection_without_a_working_ttl_policy_is_named(
    examined: Examined, google: Google, administration, state: str
) -> None:
    del administration.states[REPLAY_MARKS]
    if state:
        administration.states[REPLAY_MARKS] = state

    [(name, finding)] = failed(await examined.report_with(google, DATABASE)).items()

    assert name == "TTL policies"
    assert "no working policy on expire_at for replay_marks: " in finding.problem
    assert "gcloud firestore fields ttls update expire_at" in finding.remedy
    assert "--database=dev-rally-mcp" in finding.remedy


async def test_a_ttl_policy_that_is_being_made_is_well(
    examined: Examined, google: Google, administration
) -> None:
    administration.states |= dict.fromkeys(COLLECTIONS, "CREATING")

    assert outcomes(await examined.report_with(google, DATABASE))["TTL policies"] == "ok"


async def test_a_database_that_tells_no_policies_fails(
    examined: Examined, google: Google, administration
) -> None:
    administration.refusal = grpc.StatusCode.INVALID_ARGUMENT

    finding = failed(await examined.report_with(google, DATABASE))["TTL policies"]

    assert "Firestore does not tell them (InvalidArgument)" in finding.problem
    assert "check --project and --database" in finding.remedy


@pytest.mark.parametrize(
    ("payload", "code", "seen", "to_do"),
    [
        (b"", None, f"{VERSION} is empty or not set", "put the secret there"),
        (b"\xff", None, f"{VERSION} is not UTF-8 text", "put the secret there as text"),
        (b"x", grpc.StatusCode.NOT_FOUND, f"{VERSION} does not exist", "add a version"),
        (b"x", grpc.StatusCode.FAILED_PRECONDITION, "disabled or destroyed", "enable it"),
    ],
    ids=["empty", "no text", "missing", "disabled"],
)
async def test_a_client_secret_that_cannot_be_used_is_named(
    examined: Examined, google: Google, secret_manager, payload, code, seen: str, to_do: str
) -> None:
    secret_manager.add_version(SECRET, payload)
    if code:
        secret_manager.refuse(VERSION, code)

    [(name, finding)] = failed(await examined.report_with(google, DATABASE)).items()

    assert name == "client secrets"
    assert seen in finding.problem
    assert to_do in finding.remedy


async def test_an_emulator_is_written_and_read_and_has_no_ttl_policies(
    examined: Examined, google: Google, firestore_emulator
) -> None:
    database = Database(f"rally-mcp-{secrets.token_hex(8)}", "rally-mcp")
    opened: list[Store] = []

    def open_store(project: str, name: str) -> Store:
        opened.append(FirestoreStore(project, name, clock=now))
        return opened[-1]

    emulated = replace(
        google,
        find_credentials=none_found,
        open_store=open_store,
        is_emulated=Google().is_emulated,
    )
    report = await examined.report_with(emulated, database)

    left = FirestoreStore(database.project, database.name, clock=now)
    documents = [each async for each in left.scan(REPLAY_MARKS)]
    await left.close()
    assert outcomes(report)["Firestore database rally-mcp"] == "ok"
    assert "not checked, because the emulator has no TTL policies" in "\n".join(lines(report))
    assert documents == []


async def test_every_collection_that_has_records_has_a_ttl_policy() -> None:
    assert google_cloud.DATABASE == "rally-mcp"
    assert sorted(COLLECTIONS) == [
        "attempts",
        "oauth_clients",
        "oauth_states",
        "principals",
        "replay_marks",
    ]
