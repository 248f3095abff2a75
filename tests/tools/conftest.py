"""Ann's chat, on a deployment as it is and on one whose line to Rally a test may disturb.

And on one that has GitHub behind it as well.
"""

from collections.abc import Callable

import pytest

from tests.fixtures.deployment import Caller, Deployment
from tests.fixtures.on_github import issues_of, signed_in_to_both
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


@pytest.fixture
def both(deploy_with: Callable[..., Deployment]) -> WiredDeployment:
    """Make a deployment in front of Rally and GitHub, with both on one wire."""
    return wired(deploy_with("rally,github", **WITHOUT_CODE))


@pytest.fixture
def stranger(both: WiredDeployment) -> Caller:
    """Make a chat that is signed in to neither."""
    return both.caller(instance=-1)


@pytest.fixture
async def ann_on_github(both: WiredDeployment) -> Caller:
    """Sign Ann in to both."""
    return await signed_in_to_both(both, "ann")


@pytest.fixture
async def bob_on_github(both: WiredDeployment) -> Caller:
    return await signed_in_to_both(both, "bob")


@pytest.fixture
def in_rally(rally):
    """Return what hangs on Ann's artifacts, oldest first."""

    def in_rally(type_name):
        found = rally.objects.of_types((type_name,), rally.users["ann"])
        return [attached.values for attached in found]

    return in_rally


@pytest.fixture
def comments(github):
    """Return what people said about an issue or pull request."""

    def comments(number):
        return [comment.body for comment in issues_of(github)[number].comments]

    return comments


@pytest.fixture
def written(in_rally, comments):
    """Count everything that a link leaves behind."""

    def written():
        posts, pulls = in_rally("ConversationPost"), in_rally("PullRequest")
        # The issue has two comments from the start.
        return len(posts) + len(pulls), len(comments(1)) - 2 + len(comments(3))

    return written
