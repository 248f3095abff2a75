"""Each function works with the Firestore permissions that Terraform gives it, and needs each one.

All tests that use a deployment run with these permissions: a function that went beyond its own
would fail there. Here is shown that none of them is too many.
"""

import pytest

from rally_mcp.settings import Function
from tests.fixtures.deployment import Deployment, Instance
from tests.fixtures.oauth_client import new_client
from tests.fixtures.permitted_store import PERMISSIONS, PermittedStore


@pytest.fixture
async def used(deployment: Deployment) -> Instance:
    """An instance whose functions did all that they ever do with records."""
    chat, client = deployment.caller(), new_client(deployment)
    await chat.sign_in()
    await chat.call("sign_out")
    tokens = await client.sign_in()
    await client.revoke(tokens["refresh_token"])
    return deployment.instances[0]


@pytest.mark.parametrize("function", Function)
async def test_a_function_uses_every_permission_that_it_has(
    function: Function, used: Instance
) -> None:
    assert used.permitted[function].used == PERMISSIONS[function]


async def test_no_function_may_list_records(used: Instance) -> None:
    for store in used.permitted.values():
        with pytest.raises(PermissionError, match="list"):
            store.scan("principals")


async def test_what_is_not_granted_is_refused(deployment: Deployment) -> None:
    callback = PermittedStore(deployment.instances[0].store, Function.OAUTH_CALLBACK)

    with pytest.raises(PermissionError, match="oauth_callback may not delete"):
        await callback.take("principals", "a" * 64)
