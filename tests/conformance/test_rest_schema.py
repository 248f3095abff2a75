"""REST keeps to its own OpenAPI document whatever is sent: Schemathesis looks for a case where not.

BAD_INPUT_TIMES=50 in the environment tries fifty times as many inputs.
"""

import uuid
from collections.abc import Callable

import httpx
import pytest
import schemathesis
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from rally_mcp.identity_providers.registry import UPSTREAMS
from rally_mcp.tools.catalogue import offered, server_facts
from rally_mcp.web.openapi import document
from tests.conformance.refusals import assert_refused, inputs
from tests.fixtures.deployment import MCP_ORIGIN, Deployment
from tests.fixtures.raw_http import ServedDeployment, served
from tests.fixtures.signed_in import WITHOUT_CODE, signed_in

# An async fixture of a test that is not async needs to be told what to run on.
pytestmark = pytest.mark.usefixtures("anyio_backend")

# What is served is this very document: test_openapi.py.
tools = offered((), UPSTREAMS, read_only=False)
schema = schemathesis.openapi.from_dict(
    document(server_facts("Rally MCP", tools), MCP_ORIGIN, tools)
)


@pytest.fixture
def deployed(deploy_with: Callable[..., Deployment]) -> ServedDeployment:
    return served(deploy_with(",".join(UPSTREAMS), **WITHOUT_CODE))


@pytest.fixture
async def ann(deployed: ServedDeployment) -> str:
    return (await signed_in(deployed)).session_id


@schema.parametrize()
@inputs(15)
def test_whoever_is_not_signed_in_is_answered_as_documented(case, deployed):
    assert_as_documented(case, deployed, str(uuid.uuid4()))


@schema.parametrize()
@inputs(8)
def test_without_a_credential_every_call_is_refused_as_documented(
    case, deployed, rally, github, entra_id, yata
):
    assert_as_documented(case, deployed, "")

    for simulator in (rally, github, entra_id, yata):
        assert simulator.stats.requests == []


@schema.exclude(operation_id="sign_out").parametrize()
@inputs(15)
def test_whoever_is_signed_in_is_answered_as_documented(case, deployed, ann):
    assert_as_documented(case, deployed, ann)


def assert_as_documented(
    case: schemathesis.Case, deployed: ServedDeployment, session_id: str
) -> None:
    """Send what Schemathesis made up, with a credential of ours, and check the answer."""
    case.call_and_validate(
        base_url=MCP_ORIGIN,
        app=deployed.applications[MCP_ORIGIN],
        headers={"Session-ID": session_id},
        additional_checks=[refusal_is_clear],
        # The credential is not Schemathesis' to leave out. Which project or FormattedID there
        # is, and which code is right, no schema says.
        excluded_checks=[ignored_auth, positive_data_acceptance],
    )


def refusal_is_clear(
    _: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """Check what no schema says: a refusal is one in few words."""
    if response.status_code == 200 or response.request.method == "HEAD":
        return
    headers = [(name, value) for name, given in response.headers.items() for value in given]
    assert_refused(httpx.Response(response.status_code, headers=headers, content=response.content))
