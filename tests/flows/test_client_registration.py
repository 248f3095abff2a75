"""Dynamic client registration: an answer for everybody, and nothing stored for anybody."""

import json
import unicodedata

import httpx
import pytest

from rally_mcp.authorization_server.client_records import OAUTH_CLIENTS
from rally_mcp.authorization_server.login_attempts import ATTEMPTS
from rally_mcp.authorization_server.replay_marks import REPLAY_MARKS
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import AUTH_ORIGIN, Deployment
from tests.fixtures.oauth_client import REDIRECT_URI, new_client
from tests.fixtures.raw_http import served
from tests.fixtures.stored import COLLECTIONS, stored_rows

EVERYTHING = (*COLLECTIONS, OAUTH_CLIENTS, REPLAY_MARKS, ATTEMPTS)
WEB = "https://client.example/callback"


async def register(deployment: Deployment, instance: int = 0, **metadata: object) -> httpx.Response:
    """Send a registration request with these members."""
    programs = deployment.instances[instance].programs
    return await programs.post(
        f"{AUTH_ORIGIN}/register",
        content=json.dumps(metadata),  # escapes what httpx could not send, half characters too
        headers={"Content-Type": "application/json"},
    )


@requirement("B26")
async def test_a_client_is_told_how_it_is_registered(deployment):
    answer = await register(
        deployment,
        client_name="Editor",
        redirect_uris=[WEB, "http://127.0.0.1:33418/"],
        grant_types=["authorization_code", "refresh_token", "urn:example:device"],
        response_types=["code"],
        token_endpoint_auth_method="client_secret_post",
        application_type="native",
        scope="everything",
        logo_uri="https://client.example/logo.png",
    )

    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    document = answer.json()
    assert document.pop("client_id").startswith("rmcp_cl_")
    assert document == {
        "client_name": "Editor",
        "redirect_uris": [WEB, "http://127.0.0.1:33418/"],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "rally:read rally:write",
        "application_type": "native",
    }


@requirement("B26")
async def test_redirect_uris_alone_are_enough(deployment):
    optional = ("client_name", "application_type", "grant_types", "response_types", "scope")

    answer = await register(deployment, redirect_uris=[WEB], **dict.fromkeys(optional))

    assert answer.status_code == 201
    assert answer.json()["grant_types"] == ["authorization_code"]
    assert "client_secret" not in answer.json()
    assert "application_type" not in answer.json()


@requirement("B26")
async def test_the_same_metadata_gives_the_same_id_on_every_instance_and_deployment(deploy):
    first, second = deploy(), deploy()
    first.scale_out()
    metadata = {"client_name": "Copilot", "redirect_uris": [REDIRECT_URI]}

    answers = [
        await register(first, **metadata),
        await register(first, 1, **metadata, grant_types=["authorization_code", "refresh_token"]),
        await register(second, **dict(reversed(metadata.items()))),
    ]

    assert len({answer.json()["client_id"] for answer in answers}) == 1


@requirement("B26")
@pytest.mark.parametrize(
    "other",
    [
        {"client_name": "Copilot!", "redirect_uris": [REDIRECT_URI]},
        {"client_name": "Copilot", "redirect_uris": [REDIRECT_URI, WEB]},
        {"client_name": "Copilot", "redirect_uris": [f"{REDIRECT_URI}/"]},
        {"redirect_uris": [REDIRECT_URI]},
    ],
)
async def test_other_metadata_gives_another_id(deployment, other):
    one = await register(deployment, client_name="Copilot", redirect_uris=[REDIRECT_URI])

    answer = await register(deployment, **other)

    assert answer.json()["client_id"] != one.json()["client_id"]


@requirement("B6", "B26")
async def test_a_client_that_starts_on_another_port_each_time_keeps_its_id(deployment):
    ports = ("", ":33418", ":51234")

    answers = [
        await register(deployment, redirect_uris=[WEB, f"http://127.0.0.1{port}/callback"])
        for port in ports
    ]

    assert len({answer.json()["client_id"] for answer in answers}) == 1
    assert answers[1].json()["redirect_uris"] == [WEB, "http://127.0.0.1:33418/callback"]


@requirement("B26")
async def test_a_client_stays_registered_after_the_store_is_lost(deploy):
    before = new_client(deploy())
    await before.register()

    after = new_client(deploy(), client_id=before.client_id)

    assert (await after.sign_in())["access_token"]


@requirement("B26")
@pytest.mark.no_cover  # ten thousand times the same lines
async def test_ten_thousand_registrations_leave_no_record(deploy):
    deployment = served(deploy(RATE_LIMITS="off"))
    json_alone = [(b"content-type", b"application/json")]
    statuses = set()

    for number in range(10_000):
        body = json.dumps({"client_name": f"{number}", "redirect_uris": [WEB]}).encode()
        answer = await deployment.send("POST", b"/register", json_alone, body, origin=AUTH_ORIGIN)
        statuses.add(answer.status_code)

    assert statuses == {201}
    assert await stored_rows(deployment, *EVERYTHING) == []


@requirement("B26", "C10")
async def test_one_address_may_register_so_often_and_is_told_when_it_may_again(deployment):
    answers = [await register(deployment, redirect_uris=[WEB]) for _ in range(301)]
    refused = answers[-1]
    deployment.clock.advance(seconds=int(refused.headers["retry-after"]))
    again = await register(deployment, redirect_uris=[WEB])

    assert {answer.status_code for answer in answers[:-1]} == {201}
    assert refused.status_code == 429
    assert refused.json()["error"] == "temporarily_unavailable"
    assert again.status_code == 201


@requirement("B26", "C1")
@pytest.mark.parametrize(
    "grant_types", [["client_credentials"], ["authorization_code", "client_credentials"]]
)
async def test_no_machine_client_registers_itself(deployment, grant_types):
    answer = await register(deployment, redirect_uris=[WEB], grant_types=grant_types)

    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_client_metadata"
    assert "administrator" in answer.json()["error_description"]


@requirement("C1")
@pytest.mark.parametrize("grant_type", ["client_credentials", "password"])
async def test_a_client_that_registered_itself_cannot_log_in_as_a_machine(deployment, grant_type):
    client = new_client(deployment)
    await client.register()

    answer = await client.token(grant_type=grant_type)

    assert answer.status_code == 400
    assert answer.json()["error"] in {"unauthorized_client", "unsupported_grant_type"}


METADATA = {"redirect_uris": [WEB]}


@requirement("B26")
@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({}, "invalid_client_metadata"),
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": WEB}, "invalid_client_metadata"),
        ({"redirect_uris": [WEB, 7]}, "invalid_client_metadata"),
        ({"redirect_uris": [f"{WEB}/{n}" for n in range(21)]}, "invalid_redirect_uri"),
        ({"redirect_uris": [WEB, "javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [f"{WEB}#here"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [f"{WEB}/{'x' * 470}{n}" for n in range(5)]}, "invalid_client_metadata"),
        (METADATA | {"client_name": 7}, "invalid_client_metadata"),
        (METADATA | {"grant_types": ["refresh_token"]}, "invalid_client_metadata"),
        (METADATA | {"grant_types": ["implicit"]}, "invalid_client_metadata"),
        (METADATA | {"response_types": ["token"]}, "invalid_client_metadata"),
        (
            METADATA | {"token_endpoint_auth_method": "private_key_jwt"},
            "invalid_client_metadata",
        ),
        (
            METADATA | {"token_endpoint_auth_method": "tls_client_auth"},
            "invalid_client_metadata",
        ),
        (METADATA | {"application_type": "desktop"}, "invalid_client_metadata"),
        (
            {"redirect_uris": [REDIRECT_URI], "application_type": "web"},
            "invalid_redirect_uri",
        ),
        (
            {"redirect_uris": ["com.example.app:/callback"], "application_type": "web"},
            "invalid_redirect_uri",
        ),
    ],
)
async def test_metadata_that_cannot_be_served_is_refused(deployment, metadata, error):
    answer = await register(deployment, **metadata)

    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert answer.json()["error_description"].isascii()
    assert answer.headers["cache-control"] == "no-store"


@requirement("B26")
@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"redirect_uris=x", "application/x-www-form-urlencoded", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"null", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 60_000, "application/json", 400),
        (b'{"redirect_uris": ["' + b"x" * 65_536 + b'"]}', "application/json", 413),
    ],
    ids=["a form", "half", "a list", "null", "not UTF-8", "nested", "too large"],
)
async def test_what_is_no_metadata_is_refused(deployment, body, media_type, status):
    answer = await deployment.instances[0].programs.post(
        f"{AUTH_ORIGIN}/register", content=body, headers={"Content-Type": media_type}
    )

    assert answer.status_code == status
    assert answer.json()["error"] in {"invalid_request", "invalid_client_metadata"}


@requirement("B26")
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_registration_is_posted(deployment, method):
    answer = await deployment.instances[0].programs.request(method, f"{AUTH_ORIGIN}/register")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


HOSTILE_NAMES = {
    "line breaks": ("Rally\r\nSet-Cookie: a=b", "Rally Set-Cookie: a=b"),
    "text turned around": ("Rally \u202egro.live\u202c", "Rally gro.live"),
    "characters without width": ("Ra\u200blly\u2060\ufeff", "Rally"),
    "control characters": ("Rally\x00\x07\x1b[31m", "Rally[31m"),
    "letters that are drawn as nothing": ("Ra\u3164lly\u2800", "Rally"),
    "accents piled up": ("q" + "\u0301" * 50, "q\u0301\u0301"),
    "half a character": ("Rally\ud800", "Rally"),
    "spaces": ("  Rally   \u00a0\u2003MCP  ", "Rally MCP"),
    "a thousand letters": ("R" * 1000, "R" * 100),
    "nothing to see": ("\u200b\u202e", ""),
    "markup": ("<b>Rally</b>", "<b>Rally</b>"),
}


@requirement("B27")
@pytest.mark.parametrize(("name", "kept"), HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
async def test_a_name_is_kept_without_what_hides_or_reorders_text(deployment, name, kept):
    answer = await register(deployment, redirect_uris=[WEB], client_name=name)

    assert answer.json()["client_name"] == kept
    assert {unicodedata.category(each)[0] for each in kept}.isdisjoint("C")
