"""Nothing that an upstream answers with is passed over.

Each member of an answer, and each claim, is used, or known and of no use here, or else logged.
"""

from typing import Any

import jwt
import pytest

from rally_mcp.identity_providers import id_token
from rally_mcp.identity_providers.declaration import IdentityProvider
from tests.fixtures.log_lines import WrittenLog, written_log
from tests.fixtures.upstream_contract import DECLARED, PROVIDERS, Line, line_to
from tests.fixtures.upstreams import SIMULATORS

FORMS = [
    pytest.param(name, switches, id=f"{name} {switches}" if switches else name)
    for name, simulated in SIMULATORS.items()
    for switches in ([{}, simulated.refreshing] if simulated.refreshing else [{}])
]
"""Upstreams with the switches that change the form of their answers."""

OPENID = [name for name in PROVIDERS if DECLARED[name].sends_nonce]
WITH_USER_REQUEST = [name for name in PROVIDERS if not DECLARED[name].sends_nonce]


async def everything_answered(line: Line) -> None:
    """Get an access token, learn whose it is, and refresh it, as far as the upstream has these."""
    granted = await line.granted()
    if isinstance(line.declared, IdentityProvider):
        await line.find_user(granted)
    if granted.refresh_token:
        await line.token_endpoint.refresh(line.declared, granted.refresh_token)


def unaccounted(log: WrittenLog) -> list[dict[str, Any]]:
    """Return the lines that tell of what nobody has accounted for."""
    return [line for line in log.lines if "not accounted for" in line["message"]]


@pytest.mark.parametrize(("upstream", "switches"), FORMS)
async def test_every_member_of_every_answer_is_accounted_for(upstream, switches, clock):
    with written_log() as log:
        async with line_to(upstream, clock, **switches) as line:
            await everything_answered(line)

    assert unaccounted(log) == []


@pytest.mark.parametrize("upstream", OPENID)
async def test_every_claim_of_an_id_token_is_accounted_for(upstream, clock):
    async with line_to(upstream, clock) as line:
        granted = await line.granted()

    claims = jwt.decode(granted.id_token, options={"verify_signature": False})
    assert claims
    assert claims.keys() <= id_token.CHECKED | id_token.READ | id_token.UNUSED


@pytest.mark.parametrize("upstream", DECLARED)
async def test_a_new_member_of_a_token_response_is_logged_by_its_name_alone(upstream, clock):
    async with line_to(upstream, clock) as line:
        line.further["brand_new"] = "its value"
        with written_log() as log:
            granted = await line.granted()

    [told] = unaccounted(log)
    assert (told["severity"], told["upstream"], told["members"]) == (
        "WARNING",
        upstream,
        ["brand_new"],
    )
    assert "its value" not in log.text
    assert granted.access_token


@pytest.mark.parametrize("upstream", WITH_USER_REQUEST)
async def test_a_new_member_of_a_user_is_logged_by_its_name_alone(upstream, clock):
    async with line_to(upstream, clock) as line:
        granted = await line.granted()
        line.further["brand_new"] = "its value"
        with written_log() as log:
            user = await line.find_user(granted)

    [told] = unaccounted(log)
    assert (told["severity"], told["upstream"], told["members"]) == (
        "WARNING",
        upstream,
        ["brand_new"],
    )
    assert "its value" not in log.text
    assert user.id
