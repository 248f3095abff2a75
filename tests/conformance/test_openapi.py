"""The OpenAPI document: valid, complete, and open to everybody."""

import re

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from rally_mcp.identity_providers.registry import UPSTREAMS
from rally_mcp.tools.catalogue import ALL_TOOLS, REST_ALIASES, offered, server_facts
from rally_mcp.web.openapi import document
from tests.fixtures.deployment import MCP_ORIGIN
from tests.fixtures.upstreams import SECRETS, SETTINGS


@pytest.fixture
def deployment(deploy_with):
    """Deploy in front of everything that there is."""
    return deploy_with(",".join(UPSTREAMS))


@pytest.fixture
async def described(deployment):
    answer = await deployment.instances[0].mcp.get("/openapi.json")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


async def test_it_is_valid_openapi_3_1(described):
    OpenAPIV31SpecValidator(described).validate()

    assert described["openapi"] == "3.1.0"


async def test_what_is_served_is_made_from_the_tools_and_the_settings(described):
    tools = offered((), UPSTREAMS, read_only=False)

    assert described == document(server_facts("Rally MCP", tools), MCP_ORIGIN, tools)


async def test_it_has_the_name_that_the_settings_give_the_deployment(deploy):
    answer = await deploy(SERVER_NAME="Acme planning").instances[0].mcp.get("/openapi.json")

    assert answer.json()["info"]["title"] == "Acme planning"


async def test_every_tool_is_in_it_once_and_no_alias(described):
    paths = set(described["paths"])

    assert paths == {"/tools"} | {f"/tools/{tool.name}" for tool in ALL_TOOLS}
    assert not paths & {f"/tools/{alias}" for alias in REST_ALIASES}


async def test_an_alias_works_all_the_same(deployment):
    chat = deployment.caller()

    answers = [
        await chat.call(name, title="x")
        for name in ("create_rally_story", "create-rally-story", "create_story", "create-story")
    ]

    assert [answer.status_code for answer in answers] == [401] * 4


async def test_a_tool_that_is_not_offered_is_not_in_it(deploy):
    answer = await deploy(READ_ONLY="true").instances[0].mcp.get("/openapi.json")

    paths = answer.json()["paths"]
    assert "/tools/create_rally_story" not in paths
    assert "/tools/get_rally_issue" in paths


async def test_no_schema_refers_to_what_is_not_there(described):
    references = set(re.findall(r'"\$ref": ?"([^"]+)"', str(described).replace("'", '"')))

    schemas = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert references <= schemas


async def test_every_operation_needs_the_session_id_and_says_what_its_errors_are(described):
    operations = [operation for path in described["paths"].values() for operation in path.values()]

    assert described["security"] == [{"sessionId": []}]
    assert described["components"]["securitySchemes"]["sessionId"]["name"] == "Session-ID"
    for operation in operations:
        assert {"200", "400", "401", "405", "413", "500", "503"} <= set(operation["responses"])


async def test_nobody_needs_a_credential_to_read_it_and_it_tells_no_secret(described, deployment):
    hidden = [value for name, value in SETTINGS.items() if not name.endswith("_URL")]

    for secret in (*SECRETS.values(), *hidden):
        assert secret not in str(described)
