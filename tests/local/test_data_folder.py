"""Where a user's data is kept, and that nobody else gets at it."""

import os
import stat
from pathlib import Path

import anyio
import pytest
from anyio.to_thread import run_sync

from rally_mcp.errors import ConfigurationError
from rally_mcp.local.data_folder import DataFolder, prepare_database
from rally_mcp.local.principal_secret import PrincipalSecret

HOME = {"HOME": "/home/ann"}

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of other users")


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder.of({"XDG_DATA_HOME": str(tmp_path)}, "linux")


def rights(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", HOME, "/home/ann/.local/share/rally-mcp"),
        ("linux", {**HOME, "XDG_DATA_HOME": "/data"}, "/data/rally-mcp"),
        ("linux", {**HOME, "XDG_DATA_HOME": ""}, "/home/ann/.local/share/rally-mcp"),
        ("linux", {**HOME, "XDG_DATA_HOME": "data"}, "/home/ann/.local/share/rally-mcp"),
        ("darwin", HOME, "/home/ann/Library/Application Support/rally-mcp"),
        ("win32", {"LOCALAPPDATA": "/profile/local"}, "/profile/local/rally-mcp"),
        ("win32", HOME, "/home/ann/AppData/Local/rally-mcp"),
    ],
)
def test_data_is_kept_where_the_platform_keeps_it(platform, environment, expected):
    assert DataFolder.of(environment, platform).path == Path(expected)


def test_the_folder_and_the_database_are_made_for_the_user_alone(folder):
    database = folder.path / "rally-mcp.db"

    folder.prepare()
    prepare_database(database)

    assert rights(folder.path) == 0o700
    assert rights(database) == 0o600


def test_wider_rights_of_the_users_own_are_taken_back(folder):
    files = [folder.path / f"rally-mcp.db{end}" for end in ("", "-wal", "-shm")]
    folder.path.mkdir()
    for file in files:
        file.touch()
        file.chmod(0o666)
    folder.path.chmod(0o777)

    folder.prepare()
    prepare_database(files[0])

    assert rights(folder.path) == 0o700
    assert {rights(file) for file in files} == {0o600}


def test_a_link_in_the_folders_place_is_refused_and_nothing_behind_it_touched(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    folder.path.symlink_to(elsewhere)

    with pytest.raises(ConfigurationError) as refused:
        folder.prepare()

    assert refused.value.message.startswith(f"XDG_DATA_HOME: {folder.path} ")
    assert rights(elsewhere) == 0o755


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_in_the_databases_place_is_refused_and_nothing_behind_it_touched(folder, exists):
    folder.prepare()
    behind, database = folder.path / "behind", folder.path / "rally-mcp.db"
    if exists:
        behind.touch(0o644)
    database.symlink_to(behind)

    with pytest.raises(ConfigurationError) as refused:
        prepare_database(database)

    assert refused.value.message.startswith(f"SQLITE_PATH: {database} ")
    assert behind.exists() == exists
    assert not exists or rights(behind) == 0o644


def test_a_pipe_in_a_secrets_place_is_refused_without_waiting(folder):
    folder.prepare()
    os.mkfifo(folder.path / "principal")

    with pytest.raises(ConfigurationError):
        folder.read_secret("principal")


@as_root
@pytest.mark.parametrize("kind", ["folder", "database", "secret"])
def test_what_belongs_to_another_user_is_refused(folder, kind):
    folder.prepare()
    path = {"folder": folder.path, "database": folder.path / "d", "secret": folder.path / "s"}[kind]
    path.touch(exist_ok=True)
    os.chown(path, 12345, 12345)
    use = {
        "folder": folder.prepare,
        "database": lambda: prepare_database(path),
        "secret": lambda: folder.read_secret("s"),
    }[kind]

    with pytest.raises(ConfigurationError) as refused:
        use()

    assert "belongs to another user" in refused.value.message


def test_the_secret_is_the_same_at_every_start(folder):
    folder.prepare()

    first, second = PrincipalSecret.kept_in(folder), PrincipalSecret.kept_in(folder)

    assert first == second
    assert len(first.value) == 43
    assert rights(folder.path / "principal") == 0o600


async def test_processes_that_start_at_once_get_the_same_secret(folder):
    folder.prepare()
    got: list[PrincipalSecret] = []

    async def start() -> None:
        got.append(await run_sync(PrincipalSecret.kept_in, folder))

    async with anyio.create_task_group() as starts:
        for _ in range(20):
            starts.start_soon(start)

    assert len(got) == 20
    assert len(set(got)) == 1
    assert [path.name for path in folder.path.iterdir()] == ["principal"]


@pytest.mark.parametrize("damaged", ["", "half", "s" * 44, "\u00e4" * 43, "s" * 42 + "/"])
def test_a_damaged_secret_is_replaced(folder, damaged):
    folder.prepare()
    (folder.path / "principal").write_text(damaged, encoding="utf-8")

    secret = PrincipalSecret.kept_in(folder)

    assert len(secret.value) == 43
    assert PrincipalSecret.kept_in(folder) == secret
    assert rights(folder.path / "principal") == 0o600


def test_two_users_are_two_principals_and_neither_key_is_the_secret(folder):
    ann, bob = PrincipalSecret("a" * 43), PrincipalSecret("b" * 43)

    assert ann.principal.key != bob.principal.key
    assert ann.value not in repr(ann)
    assert ann.value not in str(ann.principal)
