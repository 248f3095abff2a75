"""Signing in with a Session-ID, from the chat through the browser and back."""

from tests.fixtures.deployment import AUTH_ORIGIN, Deployment


async def test_a_story_is_created_after_the_sign_in(deployment: Deployment) -> None:
    chat = deployment.caller()

    await chat.sign_in("ann")
    answer = await chat.call("create_rally_story", title="Search by name", description="**Fast**")

    assert answer.status_code == 200
    body = answer.json()
    assert body["success"] is True
    assert body["story"]["formatted_id"].startswith("US")


async def test_the_first_call_answers_with_a_link(deployment: Deployment) -> None:
    answer = await deployment.caller().call("create_rally_story", title="x")

    assert answer.status_code == 401
    assert answer.json()["auth_url"].startswith(f"{AUTH_ORIGIN}/auth?state=")
