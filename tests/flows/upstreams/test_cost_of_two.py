"""What a call costs that works with two upstreams."""

from tests.fixtures.counting_store import counted
from tests.fixtures.signed_in import WITHOUT_CODE, sign_in
from tests.fixtures.upstreams import Deploy

LINK = {"formatted_id": "US1", "repository": "acme/rockets", "number": 1}


async def test_a_tool_of_two_upstreams_costs_one_read_and_no_write(deploy_with: Deploy):
    deployment = deploy_with("rally,github", **WITHOUT_CODE)
    store, instance = counted(deployment)
    chat = deployment.caller().on(instance)
    await sign_in(chat)
    await sign_in(chat, tool="get_github_user")
    store.forget()

    answer = await chat.call("link_rally_to_github", **LINK)

    assert answer.status_code == 200, answer.text
    assert (store.reads, store.writes) == (1, 0)
