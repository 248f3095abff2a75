"""`rally-mcp config --write`: the server joins what a client's file has, and nothing is lost."""

import json
import os
import pty
import stat
import subprocess
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from devtools import cli
from devtools.client_file import ClientFile
from rally_mcp.errors import InvalidInput
from tests.fixtures.administrator import LONGEST_SECONDS, RALLY_MCP, Administrator

MCP_URL = "https://mcp.example.com/mcp"
OTHER_URL = "https://other.example.com/mcp"
RALLY = {"type": "http", "url": MCP_URL}
OTHERS = {
    "inputs": [{"id": "key", "type": "promptString"}],
    "servers": {"tracker": {"type": "stdio", "command": "tracker", "args": ["--é", "ü"]}},
}
TAKEN = {"servers": {"rally": {"type": "http", "url": OTHER_URL}}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where VS Code's configuration is to go."""
    return tmp_path / "mcp.json"


def write(file: Path, *options: str, client: str = "vscode") -> int:
    return cli.main(["config", client, MCP_URL, "--write", str(file), *options])


def has(file: Path, members: dict[str, Any], indent: int | str = 2) -> str:
    """Give a file members, laid out as editors do."""
    text = json.dumps(members, indent=indent, ensure_ascii=False) + "\n"
    file.write_text(text, encoding="utf-8")
    return text


def members(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8"))


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    [complaint] = capsys.readouterr().err.splitlines()
    assert complaint.startswith("rally-mcp: ")
    return complaint


@pytest.mark.parametrize(
    ("client", "path"),
    [("vscode", ".vscode/mcp.json"), ("claude-code", ".mcp.json"), ("cursor", ".cursor/mcp.json")],
)
def test_a_clients_own_file_is_made_in_the_folder_of_the_project(
    client: str, path: str, tmp_path: Path, capsys
) -> None:
    with chdir(tmp_path):
        exit_code = cli.main(["config", client, MCP_URL, "--write"])

    [servers] = members(tmp_path / path).values()
    assert exit_code == 0
    assert servers["rally"]["url"] == MCP_URL
    assert path in capsys.readouterr().out


@pytest.mark.parametrize(
    ("client", "moved_to", "path"),
    [
        (("copilot-cli",), None, ".copilot/mcp-config.json"),
        (("copilot-cli",), "elsewhere", "elsewhere/mcp-config.json"),
        (("cursor", "--global"), None, ".cursor/mcp.json"),
    ],
    ids=["copilot-cli", "COPILOT_HOME", "cursor"],
)
async def test_a_file_for_all_projects_is_made_in_the_persons_home(
    client: tuple[str, ...], moved_to: str | None, path: str, tmp_path: Path, commands
) -> None:
    moved = {"COPILOT_HOME": str(tmp_path / moved_to)} if moved_to else {}
    person = Administrator({"HOME": str(tmp_path), "MCP_URL": MCP_URL, **moved}, commands)

    ran = await person.run("config", *client, "--write")

    assert ran.exit_code == 0, ran.err
    assert members(tmp_path / path)["mcpServers"]["rally"]["url"] == MCP_URL


def test_other_servers_and_all_else_stay(file: Path) -> None:
    has(file, OTHERS)

    assert write(file) == 0

    servers = {**OTHERS["servers"], "rally": RALLY}
    assert members(file) == {**OTHERS, "servers": servers}
    assert "ü" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("indent", [2, 4, "\t"], ids=["two", "four", "tab"])
def test_a_file_keeps_its_indentation(file: Path, indent: int | str, capsys) -> None:
    before = has(file, OTHERS, indent).splitlines()

    write(file)

    after = file.read_text(encoding="utf-8").splitlines()
    assert [
        line for line in before if line.rstrip(",") not in {each.rstrip(",") for each in after}
    ] == []
    assert "laid out afresh" not in capsys.readouterr().out


def test_line_ends_of_windows_stay(file: Path) -> None:
    file.write_bytes(has(file, OTHERS).replace("\n", "\r\n").encode())

    write(file)

    assert file.read_bytes().count(b"\n") == file.read_bytes().count(b"\r\n")


def test_a_layout_that_is_lost_is_told(file: Path, capsys) -> None:
    file.write_text('{"servers": {"tracker": {"command": "tracker"}}}')

    assert write(file) == 0

    assert "laid out afresh" in capsys.readouterr().out
    assert members(file)["servers"]["tracker"] == {"command": "tracker"}


@pytest.mark.parametrize("content", ["", " \n", "{}", "\ufeff{}"], ids=repr)
def test_an_empty_file_is_filled(file: Path, content: str) -> None:
    file.write_text(content, encoding="utf-8")

    assert write(file) == 0

    assert members(file) == {"servers": {"rally": RALLY}}


def test_what_is_there_already_is_left_untouched(file: Path, capsys) -> None:
    write(file)
    before = file.stat()

    assert write(file) == 0

    assert "already" in capsys.readouterr().out
    assert (before.st_ino, before.st_mtime_ns) == (file.stat().st_ino, file.stat().st_mtime_ns)


def test_a_server_of_the_same_name_is_not_replaced_unasked(file: Path, capsys) -> None:
    before = has(file, TAKEN)

    assert write(file) == 1

    assert "--yes" in refusal(capsys)
    assert file.read_text() == before


def test_a_server_of_the_same_name_is_replaced_on_demand(file: Path) -> None:
    has(file, TAKEN)

    assert write(file, "--yes") == 0

    assert members(file) == {"servers": {"rally": RALLY}}


def test_a_server_of_another_name_stands_beside(file: Path) -> None:
    has(file, TAKEN)

    assert write(file, "--name", "rally-test") == 0

    assert members(file) == {"servers": {**TAKEN["servers"], "rally-test": RALLY}}


@pytest.mark.parametrize(
    ("typed", "url", "exit_code"),
    [("y\n", MCP_URL, 0), ("n\n", OTHER_URL, 1), ("\n", OTHER_URL, 1), ("\x04", OTHER_URL, 1)],
    ids=["yes", "no", "Enter", "Ctrl-D"],
)
def test_a_person_at_a_terminal_sees_the_difference_and_decides(
    file: Path, typed: str, url: str, exit_code: int
) -> None:
    has(file, TAKEN)
    keyboard, terminal = pty.openpty()
    os.write(keyboard, typed.encode())

    ran = subprocess.run(
        [RALLY_MCP, "config", "vscode", MCP_URL, "--write", file],
        stdin=terminal,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    os.close(keyboard)
    os.close(terminal)

    assert ran.returncode == exit_code, ran.stderr
    assert f'-  "url": "{OTHER_URL}"' in ran.stderr
    assert f'+  "url": "{MCP_URL}"' in ran.stderr
    assert members(file)["servers"]["rally"]["url"] == url


@pytest.mark.parametrize(
    "content",
    [
        '{\n  // mine\n  "servers": {}\n}',
        '{"servers": {},}',
        '{"servers": {"a": {}, "a": {}}}',
        '{"servers": {"a": "\\ud800"}}',
        "[]",
        "\N{LATIN SMALL LETTER E WITH ACUTE}".encode("latin-1"),
        "[" * 100_000,
    ],
    ids=["comment", "comma", "twice", "surrogate", "list", "latin-1", "deep"],
)
def test_a_file_that_is_not_plain_json_stays_and_what_to_paste_is_printed(
    file: Path, content: str | bytes, capsys
) -> None:
    before = content if isinstance(content, bytes) else content.encode()
    file.write_bytes(before)

    assert write(file) == 1

    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"servers": {"rally": RALLY}}
    assert "is not plain JSON" in printed.err
    assert file.read_bytes() == before


def test_servers_that_have_no_names_are_left_alone(file: Path, capsys) -> None:
    before = has(file, {"servers": [RALLY]})

    assert write(file) == 1

    assert '"servers" is not an object' in refusal(capsys)
    assert file.read_text() == before


def test_a_path_that_is_no_file_is_refused_in_one_line(tmp_path: Path, capsys) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    (tmp_path / "file").touch()

    for path in (tmp_path, loop, tmp_path / "file" / "mcp.json", Path("/proc/none/mcp.json")):
        assert write(path) == 1
        assert path.name in refusal(capsys)


def test_a_new_file_with_a_session_id_is_its_owners_alone(file: Path, capsys) -> None:
    assert write(file, "--session-id") == 0

    assert mode(file) == 0o600
    assert "chmod" not in capsys.readouterr().out


def test_a_file_keeps_its_mode_and_it_is_told_who_may_read_a_session_id(file: Path, capsys) -> None:
    has(file, OTHERS)
    file.chmod(0o664)

    assert write(file, "--session-id") == 0

    assert mode(file) == 0o664
    assert "chmod 600" in capsys.readouterr().out


def test_a_symbolic_link_stays_one(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles" / "mcp.json"
    file.symlink_to(target)

    assert write(file) == 0
    assert write(file, "--name", "again") == 0

    assert file.readlink() == target
    assert set(members(target)["servers"]) == {"rally", "again"}


def test_nothing_else_is_left_in_the_folder(file: Path) -> None:
    write(file)
    write(file, "--name", "again")

    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_changed_since_it_was_read_is_not_overwritten(file: Path) -> None:
    read = ClientFile.read(file)
    after = has(file, OTHERS)

    with pytest.raises(InvalidInput, match="changed meanwhile"):
        read.replace(b"{}", holds_a_secret=False)

    assert file.read_text(encoding="utf-8") == after
    assert list(file.parent.iterdir()) == [file]
