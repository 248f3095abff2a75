"""An administrator beside a running server, who adds machine clients to it."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from tests.clients.dev_server import DevServer
from tests.clients.simulated_rally import API_KEY
from tests.fixtures.forked_command import ForkedCommand

API_KEY_FILE = "rally-api-key"


@dataclass(frozen=True, slots=True)
class AddedClient:
    """What the administrator hands on."""

    client_id: str
    client_secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Administrator:
    """Whoever has access to the store of `server`, which is in the folder that it was given."""

    server: DevServer
    data: Path
    commands: ForkedCommand

    async def add_machine(self, *options: str) -> AddedClient:
        """Run `rally-mcp clients add` for a client that acts in Rally as Ann, by her API key."""
        scopes = ("--scope", "rally:read", "--scope", "rally:write")
        api_key = ("--rally-api-key", f"file:{self.data / API_KEY_FILE}")
        store = {"STORAGE": "sqlite", "SQLITE_PATH": str(self.data / "rally-mcp.db")}
        exit_code, out, err = await self.commands.run(
            ("clients", "add", "A pipeline", "--json", *scopes, *api_key, *options),
            os.environ | store,
        )
        assert exit_code == 0, err
        answer = json.loads(out)
        return AddedClient(answer["client_id"], answer["client_secret"])


@pytest.fixture(scope="session")
def administrator(dev_server: DevServer, dev_data: Path, commands: ForkedCommand) -> Administrator:
    """Whoever administers the one server of all tests."""
    (dev_data / API_KEY_FILE).write_text(API_KEY)
    return Administrator(dev_server, dev_data, commands)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key for ES256, for clients that authenticate with private_key_jwt."""

    pem: str = field(repr=False)
    jwks: Path
    """The public half, as the administrator is given it."""

    @classmethod
    def new(cls, folder: Path) -> "SigningKey":
        """Make one; its public half goes into a file of the folder."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        jwks = folder / "jwks.json"
        jwks.write_text(json.dumps({"keys": [{**public, "alg": "ES256", "use": "sig"}]}))
        return cls(pem.decode(), jwks)
