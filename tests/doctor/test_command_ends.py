"""How `rally-mcp doctor` ends where it cannot do its work: one line, and no traceback."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest

from tests.clients.dev_server import DevServer
from tests.fixtures.administrator import RALLY_MCP, Administrator

NOWHERE = "https://mcp.invalid/mcp"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody who listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        yield listening


@pytest.fixture
def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return closed.getsockname()[1]


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({"SSL_CERT_FILE": "/nowhere/ca.pem"}, "FileNotFoundError"),
        ({"SSL_CERT_FILE": "/dev/null"}, "SSLError"),
        ({"HTTPS_PROXY": "gopher://ann:correct-horse@proxy.example"}, "ValueError"),
        ({"HTTPS_PROXY": "http://proxy.example:port"}, "InvalidURL"),
    ],
    ids=["no certificates", "no certificate in it", "unknown scheme", "no URL"],
)
async def test_variables_that_name_what_cannot_be_used_are_named_on_one_line(
    commands, environment: dict[str, str], kind: str
) -> None:
    ran = await Administrator(environment, commands).run("doctor", NOWHERE)

    [line] = ran.err.splitlines()
    assert (ran.exit_code, ran.out) == (2, "")
    assert line.startswith(f"rally-mcp: HTTPS requests cannot be made ({kind}); ")
    assert all(name in line for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY"))
    assert "correct-horse" not in line


async def test_a_proxy_that_does_not_answer_is_named_without_its_password(
    commands, closed_port: int
) -> None:
    proxy = {"HTTPS_PROXY": f"http://ann:correct-horse@127.0.0.1:{closed_port}", "NO_PROXY": ""}

    ran = await Administrator(proxy, commands).run("doctor", NOWHERE)

    [failure] = [line for line in ran.lines if line.startswith("FAIL")]
    assert (
        f"no answer from mcp.invalid through the proxy 127.0.0.1:{closed_port} (ConnectError)"
        in failure
    )
    assert "correct-horse" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("redirection", "told"),
    [
        (">/dev/full", ["rally-mcp: the report cannot be written: No space left on device"]),
        (">&-", []),
    ],
    ids=["full", "closed"],
)
@pytest.mark.parametrize("option", [[], ["--json"]], ids=["lines", "json"])
async def test_a_report_that_cannot_be_written_ends_with_one(
    dev_server: DevServer, commands, option: list[str], redirection: str, told: list[str]
) -> None:
    ran = await Administrator({}, commands).run_redirected(
        "doctor", dev_server.mcp_url, *option, redirections=redirection
    )

    assert (ran.exit_code, ran.err.splitlines()) == (1, told)


def test_a_report_that_nobody_reads_ends_with_one(dev_server: DevServer) -> None:
    nobody, end = os.pipe()
    os.close(nobody)
    command = [str(RALLY_MCP), "doctor", dev_server.mcp_url]
    with subprocess.Popen(command, stdout=end, stderr=subprocess.PIPE, text=True) as process:
        os.close(end)
        _, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (1, "")


def test_ctrl_c_stops_it_with_one_line(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    command = [str(RALLY_MCP), "doctor", f"http://127.0.0.1:{port}/mcp"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        asked, _ = listener.accept()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        asked.close()

    assert (process.returncode, out, err) == (130, "", "rally-mcp: stopped\n")
