"""A chat on the other side of the browser: calls tools over REST with a Session-ID of its own."""

import uuid
from dataclasses import dataclass, field

import httpx

ANSWER_SECONDS = 60
"""For a process that answers its first request on a busy machine."""


@dataclass(frozen=True, slots=True)
class Chat:
    """One chat with a running server; a new one has never signed in."""

    mcp_url: str
    session_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    async def call(self, tool: str, **arguments: object) -> httpx.Response:
        """Call a tool."""
        async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_SECONDS) as http:
            return await http.post(
                f"{self.mcp_url.removesuffix('/mcp')}/tools/{tool}",
                json=arguments,
                headers={"Session-ID": self.session_id},
            )

    async def auth_url(self) -> str:
        """Return the sign-in link that a tool answers with."""
        answer = await self.call("get_rally_user")

        assert answer.status_code == 401, answer.text
        return str(answer.json()["auth_url"])
