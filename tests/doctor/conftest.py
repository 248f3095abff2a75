"""What doctor is run against: deployments in this process, and one `rally-mcp dev`."""

from collections.abc import Iterator

import pytest

from tests.clients.dev_server import DevServer, running_dev_server
from tests.doctor.examined import Examined
from tests.fixtures.raw_http import served


@pytest.fixture
def examined(deployment) -> Examined:
    """A deployment with an origin for each function."""
    return Examined(served(deployment).applications, deployment.clock)


@pytest.fixture(scope="session")
def dev_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """One `rally-mcp dev`."""
    with running_dev_server(tmp_path_factory.mktemp("dev")) as server:
        yield server
