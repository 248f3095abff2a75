"""Ann's chat, on a deployment as it is and on one whose line to Rally a test may disturb."""

from collections.abc import Callable

import pytest

from tests.fixtures.deployment import Caller, Deployment
from tests.fixtures.rally_wire import Wire, WiredDeployment, wired
from tests.fixtures.signed_in import WITHOUT_CODE, signed_in


@pytest.fixture
def deployment(deploy: Callable[..., Deployment]) -> Deployment:
    return deploy(**WITHOUT_CODE)


@pytest.fixture
async def ann(deployment: Deployment) -> Caller:
    return await signed_in(deployment, "ann")


@pytest.fixture
def wired_deployment(deployment: Deployment) -> WiredDeployment:
    return wired(deployment)


@pytest.fixture
def wire(wired_deployment: WiredDeployment) -> Wire:
    return wired_deployment.wire


@pytest.fixture
async def wired_ann(wired_deployment: WiredDeployment) -> Caller:
    return await signed_in(wired_deployment, "ann")
