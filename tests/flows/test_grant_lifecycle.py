"""Random lives of a grant, step by step beside a small model of what must work.

Every step is one request, on either of two instances, or time that passes.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.refusals import inputs
from tests.conformance.requirements import requirement
from tests.fixtures.deployment import Deployment
from tests.fixtures.oauth_client import OAuthClient, new_client
from tests.fixtures.token_answers import error_of, is_invalid_token, is_taken

MOST_ACCESS_TOKENS = 8
MOST_FAILURES = 5


@dataclass(frozen=True, slots=True)
class Issued:
    """One successful answer."""

    access_token: str
    refresh_token: str
    ends_at: datetime


@dataclass
class Life:
    """A grant, and what must be true of it."""

    deployment: Deployment
    client: OAuthClient
    other: OAuthClient
    code: str
    code_ends_at: datetime
    is_redeemed: bool = False
    is_over: bool = False
    failures: int = 0
    issued: list[Issued] = field(default_factory=list)
    kept: list[Issued] = field(default_factory=list)
    """Those whose access token has room in the record."""
    grace_ends_at: datetime | None = None

    @classmethod
    async def begin(cls, deployment: Deployment) -> "Life":
        """Sign in as far as the code."""
        client, other = new_client(deployment), new_client(deployment)
        await other.register(client_name="Another client")
        code = (await client.authorize())["code"]
        return cls(deployment, client, other, code, deployment.clock() + timedelta(seconds=60))

    async def redeem(self) -> None:
        answer = await self.anywhere.redeem(self.code)
        if self._code_is_good:
            self.is_redeemed = True
            self._keep(answer)
            return
        assert error_of(answer) == (400, "invalid_grant")
        self.is_over = self.is_over or self.is_redeemed

    async def redeem_with_a_wrong_verifier(self) -> None:
        answer = await self.anywhere.redeem(self.code, code_verifier="x" * 43)
        assert error_of(answer) == (400, "invalid_grant")
        self._count_failure()

    async def redeem_as_another_client(self) -> None:
        other = self.other.client_id
        answer = await self.anywhere.redeem(self.code, client_id=other)
        assert error_of(answer) == (400, "invalid_grant")
        self._count_failure()

    async def refresh(self) -> None:
        if not self.issued:
            return
        answer = await self.anywhere.refresh(self.issued[-1].refresh_token)
        if self.is_over:
            assert error_of(answer) == (400, "invalid_grant")
            return
        self._keep(answer)
        self.grace_ends_at = self.now + timedelta(seconds=60)

    async def refresh_with_the_token_before(self) -> None:
        if len(self.issued) < 2:
            return
        *_, before, current = self.issued
        answer = await self.anywhere.refresh(before.refresh_token)
        if not self.is_over and self.grace_ends_at and self.now < self.grace_ends_at:
            assert self._issued_by(answer) == current
        else:
            assert error_of(answer) == (400, "invalid_grant")
            self.is_over = True

    async def refresh_with_an_older_token(self) -> None:
        if len(self.issued) > 2:
            answer = await self.anywhere.refresh(self.issued[-3].refresh_token)
            assert error_of(answer) == (400, "invalid_grant")
            self.is_over = True

    async def refresh_with_a_token_made_up(self) -> None:
        answer = await self.anywhere.refresh(self._made_up())
        assert error_of(answer) == (400, "invalid_grant")
        self.is_over = True

    async def refresh_as_another_client(self) -> None:
        if self.issued:
            answer = await self.other.refresh(self.issued[-1].refresh_token)
            assert error_of(answer) == (400, "invalid_grant")

    async def refresh_for_more_than_was_granted(self) -> None:
        if self.issued:
            current = self.issued[-1].refresh_token
            answer = await self.anywhere.refresh(current, scope="rally:read admin")
            code = "invalid_grant" if self.is_over else "invalid_scope"
            assert error_of(answer) == (400, code)

    async def revoke_the_access_token(self) -> None:
        if self.issued:
            await self._revoke(self.issued[-1].access_token)

    async def revoke_the_refresh_token(self) -> None:
        if self.issued:
            await self._revoke(self.issued[-1].refresh_token)

    async def revoke_the_refresh_token_before(self) -> None:
        if len(self.issued) > 1:
            await self._revoke(self.issued[-2].refresh_token)

    async def revoke_a_token_made_up(self) -> None:
        answer = await self.anywhere.revoke(self._made_up())
        assert answer.status_code == 200

    async def revoke_as_another_client(self) -> None:
        if self.issued:
            answer = await self.other.revoke(self.issued[-1].refresh_token)
            if self.is_over:
                assert answer.status_code == 200
            else:
                assert error_of(answer) == (400, "invalid_grant")

    async def call(self) -> None:
        if self.issued:
            access_token = self.issued[-1].access_token
            answer = await self.anywhere.call(access_token, "get_rally_user")
            works = answer.status_code == 200
            assert works or is_invalid_token(answer)
            assert works == self._must_take(self.issued[-1])

    async def wait_a_while(self) -> None:
        self.deployment.clock.advance(seconds=20)

    async def wait_a_minute(self) -> None:
        self.deployment.clock.advance(seconds=60)

    async def wait_an_hour(self) -> None:
        self.deployment.clock.advance(hours=1)

    async def assert_newest(self) -> None:
        """Fail unless the newest access token does what it must."""
        for each in self.issued[-1:]:
            assert await is_taken(self.anywhere, each.access_token) == self._must_take(each)

    async def assert_every(self) -> None:
        """Fail unless every access token that there ever was does what it must."""
        taken = [await is_taken(self.anywhere, each.access_token) for each in self.issued]
        assert taken == [self._must_take(each) for each in self.issued]

    @property
    def now(self) -> datetime:
        return self.deployment.clock()

    @property
    def anywhere(self) -> OAuthClient:
        """The client, served by the two instances in turn."""
        instances = self.deployment.instances
        instances.append(instances.pop(0))
        return self.client.on(instances[0])

    @property
    def _code_is_good(self) -> bool:
        return not self.is_over and not self.is_redeemed and self.now < self.code_ends_at

    def _must_take(self, issued: Issued) -> bool:
        return not self.is_over and issued in self.kept and self.now < issued.ends_at

    def _keep(self, answer: httpx.Response) -> None:
        self.issued.append(self._issued_by(answer))
        live = [each for each in self.kept if each.ends_at > self.now]
        self.kept = [*live, self.issued[-1]][-MOST_ACCESS_TOKENS:]

    def _issued_by(self, answer: httpx.Response) -> Issued:
        assert answer.status_code == 200, answer.text
        tokens = answer.json()
        ends_at = self.now + timedelta(seconds=tokens["expires_in"])
        return Issued(tokens["access_token"], tokens["refresh_token"], ends_at)

    def _count_failure(self) -> None:
        self.failures += self._code_is_good
        self.is_over = self.is_over or self.is_redeemed or self.failures == MOST_FAILURES

    def _made_up(self) -> str:
        grant_id = self.code.removeprefix("rmcp_ac_").partition(".")[0]
        return f"rmcp_rt_{grant_id}.{secrets.token_urlsafe(32)}"

    async def _revoke(self, token: str) -> None:
        answer = await self.anywhere.revoke(token)
        assert answer.status_code == 200
        self.is_over = True


Step = Callable[[Life], Awaitable[None]]

WITH_A_CODE: list[Step] = [
    *[Life.redeem_with_a_wrong_verifier] * 4,
    *[Life.redeem_as_another_client] * 2,
    *[Life.wait_a_while] * 2,
    Life.refresh_with_a_token_made_up,
]

HARMLESS: list[Step] = [
    Life.call,
    Life.refresh,
    Life.refresh,
    Life.refresh_with_the_token_before,
    Life.refresh_as_another_client,
    Life.refresh_for_more_than_was_granted,
    Life.revoke_as_another_client,
    Life.revoke_a_token_made_up,
    Life.wait_a_while,
    Life.wait_an_hour,
]

FATEFUL: list[Step] = [
    Life.redeem,
    Life.redeem_as_another_client,
    Life.redeem_with_a_wrong_verifier,
    Life.refresh_with_an_older_token,
    Life.refresh_with_a_token_made_up,
    Life.revoke_the_access_token,
    Life.revoke_the_refresh_token,
    Life.revoke_the_refresh_token_before,
    *[Life.wait_a_minute] * 3,
]


def steps(choices: list[Step], fewest: int, most: int) -> st.SearchStrategy[list[Step]]:
    """Draw a sequence of steps."""
    return st.lists(st.sampled_from(choices), min_size=fewest, max_size=most)


@pytest.fixture
def two_instances(deployment: Deployment) -> Deployment:
    deployment.scale_out()
    return deployment


@requirement("B16", "B18", "B19", "B25")
@inputs(100)
@given(before=steps(WITH_A_CODE, 0, 6), after=steps(10 * HARMLESS + FATEFUL, 10, 40))
async def test_a_grant_does_what_its_model_says_whatever_happens_to_it(
    two_instances, before, after
):
    life = await Life.begin(two_instances)

    for step in [*before, Life.redeem, *after]:
        await step(life)
        await life.assert_newest()

    await life.assert_every()
