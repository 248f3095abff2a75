"""Signing in by the specification: from registration to a created story."""

from tests.fixtures.oauth_client import new_client


async def test_a_client_registers_signs_in_and_creates_a_story(deployment):
    client = new_client(deployment)

    tokens = await client.sign_in("ann")
    answer = await client.call(tokens["access_token"], "create_rally_story", title="By OAuth")

    assert answer.status_code == 200, answer.text
    assert answer.json()["story"]["name"] == "By OAuth"
