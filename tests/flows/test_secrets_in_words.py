"""No secret stands in the words of anything that it passes through: reprs, errors, log, store."""

import contextlib
import re
import sys
import traceback
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import FrameType

import pytest

import rally_mcp
from devtools.rally_simulator import Fault
from rally_mcp.crypto import Location
from rally_mcp.sign_in.records import PRINCIPALS
from tests.conformance.requirements import requirement
from tests.fixtures.log_lines import written_log
from tests.fixtures.machine import (
    ConfidentialClient,
    add_client_for_people,
    add_machine,
    add_machine_with_key,
    administration,
)
from tests.fixtures.oauth_client import new_client
from tests.fixtures.observed_deployment import ObservedDeployment, observed
from tests.fixtures.rally_wire import TOKEN, answers

PRODUCT = str(Path(rally_mcp.__file__).parent)

_BEARER_SECRET = re.compile(r"rmcp_(at|rt|ac)_[0-9a-z_]+\.([A-Za-z0-9_-]{43})")
_TICKET = re.compile(r"ticket=[0-9a-f]{32}\.([A-Za-z0-9_-]{43})")
_COOKIE = re.compile(r"rmcp_[0-9a-f]{32}=([A-Za-z0-9_-]{43})")

KINDS = {
    "access_token",
    "assertion",
    "client_secret",
    "code",
    "code_verifier",
    "confirmation code",
    "consent cookie",
    "rally api key",
    "refresh_token",
    "rmcp_ac",
    "rmcp_at",
    "rmcp_rt",
    "secret of a client",
    "session_id",
    "state",
    "ticket",
}

EVENTS = {
    "sign_in.confirmed",
    "grant.tokens_issued",
    "grant.reused",
    "machine.logged_in",
    "client.refused",
    "tool.called",
}
"""What the log must have told of, for the search in it to mean anything."""


class Words:
    """How everything of this product looks in words, from when it is watched until the end.

    The look of each local variable, argument and error is kept, at the beginning and the end of
    every call of a function of this product.
    """

    def __init__(self) -> None:
        self.of: dict[str, set[str]] = {}

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Watch this thread."""
        sys.setprofile(self._look)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _look(self, frame: FrameType, event: str, returned: object) -> None:
        if event in {"call", "return"} and frame.f_code.co_filename.startswith(PRODUCT):
            for each in (*frame.f_locals.values(), returned):
                self._note(each)

    def _note(self, thing: object) -> None:
        kind = type(thing)
        if kind.__module__.startswith("rally_mcp."):
            texts = self.of.setdefault(f"{kind.__module__}.{kind.__qualname__}", set())
            texts |= {repr(thing), str(thing)}
            if isinstance(thing, BaseException):
                texts.add("".join(traceback.format_exception(thing)))

    def showing(self, secrets: dict[str, set[str]]) -> set[tuple[str, str]]:
        """Return what shows which kind of secret."""
        return {
            (name, kind)
            for name, texts in self.of.items()
            for kind in kinds_in("\n".join(texts), secrets)
        }


def kinds_in(text: str, secrets: dict[str, set[str]]) -> set[str]:
    """Return the kinds of secrets that a text holds."""
    return {kind for kind, values in secrets.items() if any(value in text for value in values)}


def files_in(folder: Path) -> str:
    """Return every byte of the databases and their journals."""
    return "".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*.db*"))


class Run:
    """A deployment in use, and the secrets that its callers know."""

    def __init__(self, deployment: ObservedDeployment) -> None:
        self.deployment = deployment
        self.secrets: dict[str, set[str]] = {}

    def know(self, kind: str, *values: str) -> None:
        self.secrets.setdefault(kind, set()).update(values)

    def everything(self) -> dict[str, set[str]]:
        """Return every secret by its kind: those of callers, those answered, those of Rally."""
        found = {kind: set(values) for kind, values in self.deployment.secrets().items()}
        for kind, value in self._answered():
            found.setdefault(kind, set()).add(value)
        for kind, values in self.secrets.items():
            found.setdefault(kind, set()).update(values)
        return found

    def _answered(self) -> Iterator[tuple[str, str]]:
        for answer in self.deployment.answers:
            shown = f"{answer.text} {answer.headers}"
            for kind, secret in _BEARER_SECRET.findall(shown):
                yield f"rmcp_{kind}", secret
            yield from (("ticket", secret) for secret in _TICKET.findall(shown))
            yield from (("consent cookie", secret) for secret in _COOKIE.findall(shown))


async def a_chat_works(run: Run) -> None:
    deployment = run.deployment
    chat = deployment.caller(instance=-1)
    run.know("session_id", chat.session_id)
    page = await chat.visit(await chat.auth_url())
    await chat.call("complete_sign_in", code="0000-0000")
    await chat.call("complete_sign_in", code=page.code)
    deployment.clock.advance(hours=23, minutes=59, seconds=30)
    await chat.call("get_rally_user")
    deployment.rally.faults.add(Fault(path_prefix=TOKEN, status=500))
    await chat.visit(await deployment.caller(instance=-1).auth_url())


async def a_persons_client_works(run: Run) -> None:
    client = new_client(run.deployment)
    run.know("code_verifier", client.code_verifier)
    code = (await client.authorize())["code"]
    await client.redeem(code, code_verifier="x" * 43)
    tokens = (await client.redeem(code)).json()
    for _ in range(2):
        await client.refresh(tokens["refresh_token"])
    await client.call(tokens["access_token"], "get_rally_user")
    await client.redeem(code)
    await client.call(tokens["access_token"], "get_rally_user")


async def clients_with_secrets_work(run: Run) -> None:
    deployment = run.deployment
    machines = [
        await add_machine_with_key(deployment),
        await add_machine(deployment, "client_secret_post"),
        await add_machine(deployment, "private_key_jwt"),
    ]
    for machine in machines:
        await a_machine_works(run, machine)
    board = await add_client_for_people(deployment, "client_secret_basic")
    run.know("secret of a client", board.secret)
    run.know("code_verifier", board.plain.code_verifier)
    tokens = (await board.redeem((await board.plain.authorize())["code"])).json()
    await board.revoke(tokens["refresh_token"])


async def a_machine_works(run: Run, machine: ConfidentialClient) -> None:
    fields, headers = machine.proof()
    run.know("rally api key", "_devann")
    if machine.secret:
        run.know("secret of a client", machine.secret, *headers.values())
        rotated = await administration(run.deployment).rotate(machine.client_id, timedelta(hours=1))
        run.know("secret of a client", rotated)
    else:
        run.know("assertion", fields["client_assertion"])
    log_in = {"grant_type": "client_credentials", "scope": "rally:read rally:write"}
    access_token = (await machine.post("/token", log_in, (fields, headers))).json()["access_token"]
    await machine.post("/token", log_in | {"scope": "rally:admin"}, (fields, headers))
    await machine.by("client_secret_basic", f"{machine.secret}x").log_in()
    await machine.plain.call(access_token, "create_rally_story", title="By night")
    run.deployment.rally.api_keys.pop("_devann", None)
    await machine.plain.call(access_token, "get_rally_user")
    await machine.revoke(access_token)


async def rally_answers_nonsense(run: Run) -> None:
    token = "nonsense-of-rally-that-is-a-secret"
    run.know("access_token", token)
    run.deployment.wire.planned.clear()
    run.deployment.wire.disturb("POST", TOKEN, answers({"access_token": [token]}))
    chat = run.deployment.caller(instance=-1)
    run.know("session_id", chat.session_id)
    await chat.visit(await chat.auth_url())


@pytest.fixture
def run(deploy) -> Run:
    return Run(observed(deploy()))


async def everything_happens(run: Run) -> None:
    """Let every kind of caller work, fail and leave."""
    await a_chat_works(run)
    await a_persons_client_works(run)
    await clients_with_secrets_work(run)
    await rally_answers_nonsense(run)


@requirement("C14")
async def test_nothing_that_a_secret_passes_through_shows_it_in_words(run):
    words = Words()

    with words.watched():
        await everything_happens(run)
    secrets = run.everything()

    assert set(secrets) == KINDS
    assert words.showing(secrets) == set()


@requirement("C12", "C14")
async def test_neither_log_nor_store_nor_errors_hold_a_secret(run, tmp_path: Path):
    with written_log() as log:
        await everything_happens(run)
    secrets = run.everything()
    errors = [answer for answer in run.deployment.answers if answer.is_error]

    assert set(secrets) == KINDS
    assert {event for event in EVENTS if log.audit(event)} == EVENTS
    assert kinds_in(log.text, secrets) == set()
    assert kinds_in(files_in(tmp_path), secrets) == set()
    for answer in errors:
        may_show = {"state"} if "auth_url" in answer.text else set()
        assert kinds_in(f"{answer.headers} {answer.text}", secrets) <= may_show, answer.url.path


def test_the_search_sees_what_a_careless_class_would_show():
    words, secrets = Words(), {"session_id": {"0e5c2f5b-7d3c-4a0f-9b1e-6f8f3a2d7c41"}}
    [session_id] = secrets["session_id"]

    with words.watched():
        _ = Location(PRINCIPALS, session_id, "careless").info

    assert words.showing(secrets) == {("rally_mcp.crypto.Location", "session_id")}
