"""Which Session-IDs are taken, and what becomes of a request with any other."""

import uuid

import httpx
import pytest

from tests.conformance.requirements import requirement
from tests.fixtures.deployment import Deployment
from tests.fixtures.log_lines import written_log
from tests.fixtures.stored import stored_rows

GUESSABLE = {
    "nil": "00000000-0000-0000-0000-000000000000",
    "max": "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "version 1": "c232ab00-9414-11ec-b3c8-9f6bdeced846",
    "version 3": "5df41881-3aed-3515-88a7-2f4a814cf09e",
    "version 5": "2ed6657d-e927-568b-95e1-2665a8aea6a2",
    "version 6": "1ec9414c-232a-6b00-b3c8-9f6bdeced846",
    "version 7": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
    "version 4 of another variant": "919108f7-52d1-4320-1bac-f847db4148a8",
    "printed in RFC 9562": "919108f7-52d1-4320-9bac-f847db4148a8",
    "printed in Wikipedia": "550e8400-e29b-41d4-a716-446655440000",
    "printed in Python's documentation": "16fd2706-8baf-433b-82eb-8c7fada847da",
    "printed in capitals": "F47AC10B-58CC-4372-A567-0E02B2C3D479",
    "one digit repeated": "11111111-1111-4111-8111-111111111111",
    "four digits repeated": "12341234-1234-4234-8234-123412341234",
    "counted up": "01234567-89ab-4cde-8f01-23456789abcd",
    "counted up in pairs": "00112233-4455-4677-8899-aabbccddeeff",
    "counted up in letter and digit": "a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d",
    "the alphabet": "abcdefghijklmnopqrstuvwxyz",
    "one letter repeated": "a" * 43,
    "a word repeated": "session-session-session-session",
    "a placeholder": "replace-with-a-fresh-uuid",
    "a placeholder in capitals": "YOUR_SESSION_ID_GOES_HERE",
    "too short": "Zq3vX8mK1pR6tW9yB2nF5",
    "too long": "Zq3vX8mK1pR6tW9yB2nF5h" * 6,
    "empty": "",
    "spaces": "Zq3vX8mK1pR6 W9yB2nF5h7jL4",
    "two in one header": "Zq3vX8mK1pR6tW9yB2nF5h, hD4sJ7kL0gQ5wE8rT1yU6i",
}

UNEXPANDED = (
    "$COPILOT_MCP_SESSION_ID",
    "${COPILOT_MCP_SESSION_ID}",
    "${COPILOT_MCP_SESSION_ID:-none}",
    "${input:rally-session}",
    "${env:RALLY_SESSION_ID}",
    "%RALLY_SESSION_ID%",
)

PATHS = ("/tools/get_rally_user", "/mcp")

CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "get_rally_user", "arguments": {}},
}

both = pytest.mark.parametrize("path", PATHS)


async def call(
    deployment: Deployment, path: str, *headers: tuple[str, str], query: str = ""
) -> httpx.Response:
    """Call a tool that needs a sign-in, with these credentials."""
    return await deployment.instances[0].mcp.post(
        f"{path}{query}",
        json=CALL if path == "/mcp" else {},
        headers=[("Accept", "application/json, text/event-stream"), *headers],
    )


def sentence(answer: httpx.Response) -> str:
    """Return the words of an error, in either protocol's form."""
    body = answer.json()
    error = body["error"]
    return str(error["message"]) if isinstance(error, dict) else f"{error}: {body['message']}"


@both
@requirement("A1")
@pytest.mark.parametrize("session_id", GUESSABLE.values(), ids=GUESSABLE)
async def test_an_id_that_could_be_guessed_is_refused(deployment, path, session_id):
    answer = await call(deployment, path, ("Session-ID", session_id))

    assert answer.status_code == 400
    assert sentence(answer).startswith("Invalid Session-ID header: ")
    assert await stored_rows(deployment) == []


@both
@requirement("A1")
@pytest.mark.parametrize("session_id", UNEXPANDED)
async def test_a_variable_that_was_not_expanded_is_told_so(deployment, path, session_id):
    answer = await call(deployment, path, ("Session-ID", session_id))

    assert answer.status_code == 400
    assert "a variable that was not expanded" in sentence(answer)
    assert await stored_rows(deployment) == []


@both
@requirement("A1")
@pytest.mark.parametrize("other", ["Session-ID", "Authorization"])
async def test_two_credentials_are_refused_although_each_is_good(deployment, path, other):
    second = str(uuid.uuid4())

    answer = await call(
        deployment,
        path,
        ("Session-ID", str(uuid.uuid4())),
        (other, second if other == "Session-ID" else f"Bearer {second}"),
    )

    assert answer.status_code == 400
    assert sentence(answer).startswith("More than one credential: ")
    assert await stored_rows(deployment) == []


@both
@requirement("A1")
async def test_the_same_id_twice_is_refused(deployment, path):
    header = ("Session-ID", str(uuid.uuid4()))

    answer = await call(deployment, path, header, header)

    assert answer.status_code == 400
    assert await stored_rows(deployment) == []


@both
@requirement("A2")
async def test_no_credential_is_refused_before_anything_is_read(deployment, path):
    answer = await call(deployment, path)

    status, said = (401, "Sign in: ") if path == "/mcp" else (400, "Missing Session-ID header: ")
    assert answer.status_code == status
    assert said in sentence(answer)
    assert await stored_rows(deployment) == []


@both
@requirement("A18")
@pytest.mark.parametrize("name", ["Session-ID", "session-id", "session_id", "SESSION_ID"])
@pytest.mark.parametrize("also_in_its_header", [True, False])
async def test_an_id_in_the_url_is_refused(deployment, path, name, also_in_its_header):
    session_id = str(uuid.uuid4())
    headers = [("Session-ID", session_id)] if also_in_its_header else []

    answer = await call(deployment, path, *headers, query=f"?{name}={session_id}")

    assert answer.status_code == 400
    assert sentence(answer).startswith("Session-ID in the URL: ")
    assert await stored_rows(deployment) == []


@both
@requirement("A1")
async def test_a_refused_id_is_neither_repeated_nor_logged(deployment, path):
    session_id = "c232ab00-9414-11ec-b3c8-9f6bdeced846"

    with written_log() as log:
        answer = await call(deployment, path, ("Session-ID", session_id))

    assert session_id not in answer.text
    assert session_id not in log.text
    [line] = log.audit("credential.refused")
    assert line["reason"] == "Invalid Session-ID header"


@pytest.mark.parametrize(
    "session_id", ["0E5C2F5B-7D3C-4A0F-9B1E-6F8F3A2D7C41", "Zq3vX8mK1pR6tW9yB2nF5h"]
)
@both
async def test_a_random_id_is_taken(deployment, path, session_id):
    answer = await call(deployment, path, ("Session-ID", session_id))

    assert answer.status_code in {200, 401}
    assert "Authentication required" in answer.text


async def test_the_case_of_a_uuid_does_not_matter(deployment):
    session_id = str(uuid.uuid4())

    links = [
        await deployment.caller(spelled).auth_url() for spelled in (session_id, session_id.upper())
    ]

    assert links[0] == links[1]
