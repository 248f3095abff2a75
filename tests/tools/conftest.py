"""A deployment on the wire, and Ann's chat there."""

from collections.abc import Callable

import pytest

from tests.fixtures.deployment import Caller, Deployment
from tests.fixtures.rally_wire import Wire, WiredDeployment, wired
from tests.fixtures.signed_in import WITHOUT_CODE, signed_in


@pytest.fixture
def deployment(deploy: Callable[..., Deployment]) -> WiredDeployment:
    return wired(deploy(**WITHOUT_CODE))


@pytest.fixture
def wire(deployment: WiredDeployment) -> Wire:
    return deployment.wire


@pytest.fixture
async def ann(deployment: WiredDeployment) -> Caller:
    return await signed_in(deployment, "ann")
