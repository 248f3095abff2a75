"""What doctor makes of Google credentials that are there and no longer work."""

import asyncio
import json
import socket
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.auth.exceptions import RefreshError, TransportError

from devtools.doctor.google_cloud import Database, Google
from tests.doctor.examined import Examined, failed, outcomes
from tests.fixtures.administrator import Administrator

DATABASE = Database("project-1", "dev-rally-mcp")


@pytest.fixture
def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return closed.getsockname()[1]


async def ended() -> None:
    raise RefreshError("invalid_grant: Bad Request", {"error_subtype": "invalid_rapt"})


async def not_now() -> None:
    raise RefreshError("Internal Server Error", retryable=True)


async def out_of_reach() -> None:
    raise TransportError("refused")


@pytest.mark.parametrize(
    ("find", "seen", "to_do"),
    [
        (ended, "they have ended", "run `gcloud auth application-default login`"),
        (not_now, "Google does not answer", "try again"),
        (out_of_reach, "Google does not answer", "this machine's way to oauth2.googleapis.com"),
    ],
)
async def test_credentials_that_give_no_access_token_are_found(
    examined: Examined, find, seen: str, to_do: str
) -> None:
    google = Google(find_credentials=find, is_emulated=lambda: False)

    report = await examined.report_with(google, DATABASE)

    [(name, finding)] = failed(report).items()
    assert name == "Google credentials"
    assert finding.problem == seen
    assert to_do in finding.remedy
    assert outcomes(report)["Firestore database dev-rally-mcp"] == "not_checked"


async def test_credentials_that_ended_are_found(commands, tmp_path: Path) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        writer.write(b'{"error": "invalid_grant", "error_subtype": "invalid_rapt"}')
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        environment = firestore_with(service_account(tmp_path, port))
        ran = await Administrator(environment, commands).run("doctor")

    assert (
        "FAIL  Google credentials: they have ended; run `gcloud auth application-default login`"
        in ran.lines
    )


async def test_credentials_that_nobody_answers_for_are_not_taken_for_ended(
    commands, tmp_path: Path, closed_port: int
) -> None:
    environment = firestore_with(service_account(tmp_path, closed_port))

    ran = await Administrator(environment, commands).run("doctor")

    told = [line for line in ran.lines if line.startswith("FAIL  Google credentials: ")]
    assert ["Google does not answer" in line for line in told] == [True]


def firestore_with(credentials: Path) -> dict[str, str]:
    """Return an environment at Google."""
    return {
        "STORAGE": "firestore",
        "GOOGLE_CLOUD_PROJECT": "p",
        "GOOGLE_APPLICATION_CREDENTIALS": str(credentials),
        "NO_PROXY": "127.0.0.1",
        "FIRESTORE_EMULATOR_HOST": "",
    }


def service_account(folder: Path, port: int) -> Path:
    """Write credentials whose access tokens come from a port of this machine."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    written = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "service-account.json"
    path.write_text(
        json.dumps(
            {
                "type": "service_account",
                "client_email": "doctor@p.iam.gserviceaccount.com",
                "private_key": written.decode(),
                "token_uri": f"http://127.0.0.1:{port}/token",
            }
        )
    )
    return path
