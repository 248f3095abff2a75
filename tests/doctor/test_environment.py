"""`rally-mcp doctor` without an address: this environment's settings, and what they lead to."""

from pathlib import Path

import pytest
from google.api_core import exceptions as errors

from devtools.doctor.google_cloud import COLLECTIONS, Google
from devtools.rally_simulator import RallySimulator, create_app
from rally_mcp import __version__
from rally_mcp.bootstrap.foundations import now
from rally_mcp.errors import ConfigurationError
from rally_mcp.storage.sqlite import SqliteStore
from tests.doctor.examined import Examined, failed, lines, no_connection, outcomes
from tests.doctor.firestore_admin_server import FirestoreAdminServer
from tests.fixtures.deployment import CALLBACK_URL, CLIENT_ID, RALLY_ORIGIN, Clock
from tests.secret_manager_server import SecretManagerServer

SECRET = "correct horse"
REFERENCE = "projects/p/secrets/rally-client-secret/versions/latest"
AT_RALLY = "authorization endpoint of Rally"


class RefusingStore(SqliteStore):
    """A database that this account may not write to."""

    async def create(self, *_: object) -> bool:
        raise ConfigurationError("Firestore refuses") from errors.PermissionDenied("x")


async def new_file(path: Path) -> None:
    store = SqliteStore(path, clock=now)
    await store.get("replay_marks", "any")
    await store.close()


def make_read_only(path: Path) -> None:
    """Raise the write version in SQLite's header: whoever runs this, SQLite then only reads.

    The permissions of the file would not stop root.
    """
    with path.open("r+b") as file:
        file.seek(18)
        file.write(b"\xff")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What a function is told that has run on this machine before."""
    Path(tmp_path, "rally-mcp.db").touch()
    return {
        "MCP_URL": "http://127.0.0.1:8080/mcp",
        "AUTH_URL": "http://127.0.0.1:8081",
        "CALLBACK_URL": CALLBACK_URL,
        "STORAGE": "sqlite",
        "SQLITE_PATH": str(tmp_path / "rally-mcp.db"),
        "RALLY_URL": RALLY_ORIGIN,
        "RALLY_CLIENT_ID": CLIENT_ID,
        "RALLY_CLIENT_SECRET": "env:RALLY_TEST_SECRET",
        "RALLY_TEST_SECRET": SECRET,
    }


@pytest.fixture
def here(rally: RallySimulator, clock: Clock) -> Examined:
    """This machine, from which Rally can be reached."""
    return Examined({RALLY_ORIGIN: create_app(rally)}, clock)


@pytest.fixture
async def google(tmp_path: Path):
    """Google's services, with a database and a secret."""
    async with (
        FirestoreAdminServer(**dict.fromkeys(COLLECTIONS, "ACTIVE")) as administration,
        SecretManagerServer() as secret_manager,
    ):
        secret_manager.add_version(REFERENCE.partition("/versions")[0], SECRET.encode())

        async def found() -> None: ...

        yield Google(
            find_credentials=found,
            open_store=lambda *_: SqliteStore(tmp_path / "store.db", clock=now),
            administration=administration.client,
            secret_manager=secret_manager.client,
            is_emulated=lambda: False,
        )


async def test_an_environment_with_all_settings_is_well(here: Examined, environment) -> None:
    report = await here.environment_report(environment)

    assert lines(report) == [
        "ok    settings of mcp_endpoint",
        "ok    settings of auth_redirect",
        "ok    settings of oauth_callback",
        f"ok    SQLite file {environment['SQLITE_PATH']}",
        "ok    secret of RALLY_CLIENT_SECRET",
        f"ok    {AT_RALLY}",
    ]
    assert (report.mcp_url, report.version) == (None, __version__)
    assert report.redirect_uri == CALLBACK_URL
    assert SECRET not in report.as_json() + "".join(lines(report))


async def test_each_function_misses_its_own_settings_and_no_others(
    here: Examined, environment
) -> None:
    del environment["RALLY_CLIENT_SECRET"]

    report = await here.environment_report(environment)

    assert list(failed(report)) == ["settings of mcp_endpoint", "settings of oauth_callback"]
    finding = failed(report)["settings of mcp_endpoint"]
    assert finding.problem.startswith("RALLY_CLIENT_SECRET is missing; set it: ")
    assert "docs/settings.md says what each variable must be" in finding.remedy
    assert outcomes(report)["settings of auth_redirect"] == "ok"
    assert outcomes(report)["client secrets"] == "not_checked"
    assert outcomes(report)[AT_RALLY] == "ok"


async def test_an_empty_environment_fails_by_its_settings_alone(here: Examined) -> None:
    report = await here.environment_report({})

    assert list(failed(report)) == [
        "settings of mcp_endpoint",
        "settings of auth_redirect",
        "settings of oauth_callback",
        "settings of the store",
    ]
    assert report.redirect_uri is None
    assert outcomes(report)["upstreams' authorization endpoints"] == "not_checked"


async def test_a_secret_in_place_of_a_reference_is_not_repeated(
    here: Examined, environment
) -> None:
    report = await here.environment_report(environment | {"RALLY_CLIENT_SECRET": SECRET})

    assert "must be a reference" in failed(report)["settings of mcp_endpoint"].problem
    assert SECRET not in report.as_json()


async def test_a_file_that_is_no_database_is_found(
    here: Examined, environment, tmp_path: Path
) -> None:
    environment["SQLITE_PATH"] = str(tmp_path)

    [(name, finding)] = failed(await here.environment_report(environment)).items()

    assert name == f"SQLite file {tmp_path}"
    assert "cannot be used as a database" in finding.problem
    assert "name a file that SQLite made" in finding.remedy


async def test_a_file_that_is_not_there_is_found_and_not_made(
    here: Examined, environment, tmp_path: Path
) -> None:
    missing = tmp_path / "folder" / "rally-mcp.db"
    environment["SQLITE_PATH"] = str(missing)

    [(name, finding)] = failed(await here.environment_report(environment)).items()

    assert name == f"SQLite file {missing}"
    assert finding.problem == "there is no such file"
    assert "make it on their first use: start one, or correct SQLITE_PATH" in finding.remedy
    assert not missing.parent.exists()


async def test_a_file_that_may_only_be_read_is_found(
    here: Examined, environment, tmp_path: Path
) -> None:
    path = tmp_path / "read-only.db"
    environment["SQLITE_PATH"] = str(path)
    await new_file(path)
    make_read_only(path)

    [(name, finding)] = failed(await here.environment_report(environment)).items()

    assert name == f"SQLite file {path}"
    assert "cannot be used as a database" in finding.problem
    assert finding.remedy.endswith(", or make it writable")


@pytest.mark.parametrize(
    ("reference", "seen", "to_do"),
    [
        ("env:NOT_SET", "env:NOT_SET is empty or not set", "put the secret there"),
        ("file:/nowhere", "file:/nowhere cannot be read", "check that the file exists"),
    ],
)
async def test_a_secret_that_cannot_be_read_is_found(
    here: Examined, environment, reference: str, seen: str, to_do: str
) -> None:
    environment["RALLY_CLIENT_SECRET"] = reference

    [(name, finding)] = failed(await here.environment_report(environment)).items()

    assert name == "secret of RALLY_CLIENT_SECRET"
    assert seen in finding.problem
    assert to_do in finding.remedy


async def test_each_upstream_is_asked_that_people_sign_in_to(
    deploy_with, environment, clock: Clock
) -> None:
    deployment = deploy_with("rally,github,yata")
    upstreams = {
        RALLY_ORIGIN: create_app(deployment.rally),
        **deployment.further,
    }
    settings = deployment.settings | deployment.client_secret
    settings["SQLITE_PATH"] = environment["SQLITE_PATH"]

    report = await Examined(upstreams, clock).environment_report(settings)

    assert failed(report) == {}
    names = list(outcomes(report))
    assert names[-2:] == [AT_RALLY, "authorization endpoint of GitHub"]
    assert "secret of YATA_CLIENT_SECRET" in names


async def test_an_upstream_that_cannot_be_reached_is_found(here: Examined, environment) -> None:
    here.changes[f"{RALLY_ORIGIN}/login/oauth2/auth"] = no_connection

    [(name, finding)] = failed(await here.environment_report(environment)).items()

    assert name == AT_RALLY
    assert "no answer from 127.0.0.1:8090" in finding.problem
    assert "Rally is out of reach from here" in finding.remedy


async def test_a_redirect_uri_that_is_not_registered_is_found(here: Examined, environment) -> None:
    environment["CALLBACK_URL"] = "https://mcp.example.com/callback"

    [(name, finding)] = failed(await here.environment_report(environment)).items()

    assert name == AT_RALLY
    assert "register the client at Rally with this very redirect_uri" in finding.remedy


async def test_an_environment_at_google_is_asked_for_its_database_and_secrets(
    here: Examined, environment, google: Google
) -> None:
    environment |= {
        "STORAGE": "firestore",
        "GOOGLE_CLOUD_PROJECT": "p",
        "FIRESTORE_DATABASE": "rally-mcp",
        "RALLY_CLIENT_SECRET": REFERENCE,
    }

    report = await here.environment_report(environment, google)

    assert lines(report)[3:-1] == [
        "ok    Google credentials",
        "ok    Firestore database rally-mcp",
        "ok    TTL policies",
        "ok    secret of RALLY_CLIENT_SECRET",
    ]


async def test_what_runs_here_needs_its_permissions(
    here: Examined, environment, google: Google, tmp_path: Path
) -> None:
    environment |= {"STORAGE": "firestore", "GOOGLE_CLOUD_PROJECT": "p"}
    refusing = Google(
        find_credentials=google.find_credentials,
        open_store=lambda *_: RefusingStore(tmp_path / "store.db", clock=now),
        is_emulated=lambda: False,
    )

    [(name, finding)] = failed(await here.environment_report(environment, refusing)).items()

    assert name == "Firestore database (default)"
    assert "may not read and write the database" in finding.problem
    assert "roles/datastore.user" in finding.remedy
