"""A deployment whose requests to Rally can be watched and disturbed, and ann signed in to it."""

from collections.abc import Callable

import pytest

from tests.fixtures.deployment import Caller, Deployment
from tests.fixtures.rally_wire import Wire, WiredDeployment, wired
from tests.fixtures.signed_in import WITHOUT_CODE, signed_in


@pytest.fixture
def deployment(deploy: Callable[..., Deployment]) -> WiredDeployment:
    """Its newest instance is on the wire."""
    return wired(deploy(**WITHOUT_CODE))


@pytest.fixture
def wire(deployment: WiredDeployment) -> Wire:
    return deployment.wire


@pytest.fixture
async def ann(deployment: WiredDeployment) -> Caller:
    return await signed_in(deployment, "ann")
