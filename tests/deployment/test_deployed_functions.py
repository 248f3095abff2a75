"""The archive is all that Google Cloud gets, and all that it needs."""

import ast
import re
import secrets
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from rally_mcp.settings import Function
from tests.clients.browser_walk import Page, walk
from tests.clients.dev_server import PROJECT
from tests.clients.simulated_rally import story_in_rally
from tests.containers.host_process import STOP_SECONDS, get, started
from tests.deployment.buildpack import Image, RunningFunction, build_image, free_ports
from tests.deployment.checkout import checkout
from tests.e2e.chat import ANSWER_SECONDS, Chat

CLIENT_ID = "rally-mcp-deployed"
CLIENT_SECRET = "correct horse"
FUNCTIONS = (Function.MCP_ENDPOINT, Function.AUTH_REDIRECT, Function.OAUTH_CALLBACK)
IMPORT_ALL = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
LIST_INSTALLED = "from importlib.metadata import *; [print(d.name) for d in distributions()]"


@dataclass(frozen=True, slots=True)
class Deployment:
    """The three functions as they run from one archive, and the Rally behind them."""

    functions: Mapping[Function, RunningFunction]
    rally_url: str

    @property
    def mcp_url(self) -> str:
        """The MCP endpoint."""
        return f"{self.functions[Function.MCP_ENDPOINT].origin}/mcp"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """What the buildpack makes of an archive that was built of a copy of the sources."""
    built = checkout(tmp_path_factory.mktemp("release")).build()
    return build_image(built.path, tmp_path_factory.mktemp("image"))


@pytest.fixture
def deployment(image: Image, firestore_emulator_host: str) -> Iterator[Deployment]:
    """The functions with the settings of a deployment, all of them stopped in the end."""
    *ports, rally_port = free_ports(len(FUNCTIONS) + 1)
    mcp, auth, callback = (f"http://127.0.0.1:{port}" for port in ports)
    rally_url = f"http://127.0.0.1:{rally_port}"
    settings = {
        "STORAGE": "firestore",
        "FIRESTORE_DATABASE": "rally-mcp",
        "FIRESTORE_EMULATOR_HOST": firestore_emulator_host,
        "GOOGLE_CLOUD_PROJECT": f"rally-mcp-{secrets.token_hex(8)}",
        "MCP_URL": f"{mcp}/mcp",
        "AUTH_URL": auth,
        "CALLBACK_URL": f"{callback}/callback",
        "UPSTREAMS": "rally",
        "RALLY_URL": rally_url,
        "RALLY_CLIENT_ID": CLIENT_ID,
    }
    with ExitStack() as until_the_end:
        simulator = rally(rally_port, settings["CALLBACK_URL"])
        until_the_end.enter_context(started(simulator, {}, PROJECT))
        functions = {
            function: until_the_end.enter_context(
                image.serving(function, port, {**settings, **secrets_of(function)})
            )
            for function, port in zip(FUNCTIONS, ports, strict=True)
        }
        for url in (rally_url, *(f"{running.origin}/health" for running in functions.values())):
            get(url).raise_for_status()
        yield Deployment(functions, rally_url)


def secrets_of(function: Function) -> Mapping[str, str]:
    """Return what a function is told of the client secret: auth_redirect reads none."""
    if function is Function.AUTH_REDIRECT:
        return {}
    return {"RALLY_CLIENT_SECRET": "env:UPSTREAM_SECRET", "UPSTREAM_SECRET": CLIENT_SECRET}


def rally(port: int, callback_url: str) -> list[str]:
    """Return the command of a simulated Rally that knows the deployment."""
    client = ("--client-id", CLIENT_ID, "--client-secret", CLIENT_SECRET)
    where = ("--port", str(port), "--redirect-uri", callback_url)
    return [sys.executable, "-m", "devtools.rally_simulator", *client, *where]


async def page_after_sign_in(auth_url: str) -> Page:
    """Follow the link and consent as Ann, through functions that never answered before."""
    patient = {"headers": {"Accept": "text/html"}, "timeout": ANSWER_SECONDS, "trust_env": False}
    async with httpx.AsyncClient(**patient) as browser:
        return await walk(browser, auth_url)


@asynccontextmanager
async def over_mcp(chat: Chat) -> AsyncIterator[Client]:
    """Connect to the MCP endpoint in the same chat."""
    headers = {"Session-ID": chat.session_id}
    async with httpx2.AsyncClient(headers=headers, trust_env=False) as http:
        transport = streamable_http_client(chat.mcp_url, http_client=http)
        async with Client(transport, read_timeout_seconds=ANSWER_SECONDS) as client:
            yield client


def third_party_imports(modules: Sequence[Path], root: Path) -> set[str]:
    """Return the names of modules that are imported anywhere, and neither ours nor Python's."""
    nodes = [node for path in modules for node in ast.walk(ast.parse(path.read_text(), str(path)))]
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    ours = {path.stem for path in root.iterdir()}
    return {
        name
        for name in plain | named
        if name.partition(".")[0] not in ours | sys.stdlib_module_names
    }


def normalized(names: Iterable[str]) -> set[str]:
    """Return distributions' names as the Python Packaging User Guide compares them."""
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


async def test_a_person_signs_in_and_works_through_the_three_functions(
    deployment: Deployment,
) -> None:
    chat = Chat(deployment.mcp_url)

    refused = await chat.call("create_rally_story", title="Pay by card")
    page = await page_after_sign_in(refused.json()["auth_url"])
    completed = await chat.call("complete_sign_in", code=page.code)
    created = await chat.call("create_rally_story", title="Pay by card")
    story = created.json()["story"]
    async with over_mcp(chat) as client:
        read = await client.call_tool("get_rally_issue", {"formatted_id": story["formatted_id"]})

    assert refused.status_code == 401
    assert completed.status_code == 200, completed.text
    assert created.status_code == 200, created.text
    assert not read.is_error
    assert read.structured_content["name"] == "Pay by card"
    in_rally = await story_in_rally(deployment.rally_url, story["formatted_id"])
    assert in_rally["CreatedBy"]["_refObjectName"] == "Ann Archer"


def test_each_function_ends_in_order_when_it_is_told_to(deployment: Deployment) -> None:
    processes = [function.process for function in deployment.functions.values()]

    for process in processes:
        process.terminate()

    assert [process.wait(STOP_SECONDS) for process in processes] == [0, 0, 0]


def test_every_source_has_bytecode_from_the_build(image: Image) -> None:
    bytecode = [Path(cache_from_source(str(path))) for path in image.modules]

    assert [path for path in bytecode if not path.is_file()] == []


def test_the_requirements_bring_all_that_is_imported_anywhere(image: Image) -> None:
    names = third_party_imports(image.modules, image.root)

    imported = image.python("-c", IMPORT_ALL, *names)

    assert (imported.returncode, imported.stderr) == (0, "")
    assert {"functions_framework.aio", "httpx", "pydantic"} <= names


def test_nothing_is_installed_that_the_requirements_do_not_name(image: Image) -> None:
    requirements = (image.root / "requirements.txt").read_text()
    named = re.findall(r"^([A-Za-z0-9._-]+)==", requirements, re.MULTILINE)

    installed = image.python("-c", LIST_INSTALLED).stdout.split()

    assert "functions-framework" in installed
    assert normalized(installed) <= normalized(named)
