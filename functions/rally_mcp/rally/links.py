"""Links from a Rally artifact to an issue or pull request elsewhere.

A pull request becomes a PullRequest, which Rally lists among an artifact's connections. It has no
such list for issues: those are told in the artifact's discussion, as a ConversationPost.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from rally_mcp.rally.artifact_types import ArtifactType
from rally_mcp.rally.client import WHOLE_WORKSPACE
from rally_mcp.rally.models import Artifact
from rally_mcp.rally.query import Expression, all_of, contains, equals
from rally_mcp.rally.wsapi import Wsapi

_MOST_READ = "200"


@dataclass(frozen=True, slots=True)
class LinkedPage:
    """What an artifact is linked to, in plain text; `reference` is such as owner/name#12."""

    external_id: str
    reference: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class RallyLinks:
    """The links of one artifact. Every method raises errors of `rally_mcp.errors` alone."""

    wsapi: Wsapi
    artifact_type: ArtifactType
    artifact: Artifact

    async def has_pull_request(self, url: str) -> bool:
        """Tell whether the pull request with this address is among the connections."""
        return await self._has("pullrequest", "Url", equals("Url", url), lambda own: own == url)

    async def add_pull_request(self, page: LinkedPage) -> list[str]:
        """Add a pull request to the connections; return what Rally warned about."""
        members = {
            "ExternalID": page.external_id,
            "ExternalFormattedId": page.reference,
            "Name": page.title,
            "Url": page.url,
            "Description": f"Pull request {page.reference}",
        }
        return await self._add("PullRequest", members)

    async def is_discussed(self, url: str) -> bool:
        """Tell whether a post of the discussion has this address in it."""
        return await self._has("conversationpost", "Text", contains("Text", url), mentions(url))

    async def discuss(self, page: LinkedPage) -> list[str]:
        """Tell of an issue in the discussion; return what Rally warned about."""
        link = f'<a href="{escape(page.url)}">{escape(page.reference)}</a>'
        members = {"Text": f"<p>Issue {link}: {escape(page.title)}</p>"}
        return await self._add("ConversationPost", members)

    async def _has(
        self, path: str, field: str, condition: Expression, meets: Callable[[str], bool]
    ) -> bool:
        found = await self.wsapi.get(
            path,
            {
                "query": all_of(
                    equals("Artifact.ObjectID", self.artifact.object_id), condition
                ).text,
                "fetch": field,
                "pagesize": _MOST_READ,
                "start": "1",
                **WHOLE_WORKSPACE,
            },
        )
        # Rally compares without regard to case, and does not see where a number ends.
        return any(meets(str(result.get(field) or "")) for result in found.results)

    async def _add(self, wsapi_type: str, members: Mapping[str, Any]) -> list[str]:
        ref = f"/{self.artifact_type.path}/{self.artifact.object_id}"
        answer = await self.wsapi.post(
            f"{wsapi_type.lower()}/create",
            {"fetch": "ObjectID"},
            {wsapi_type: {"Artifact": ref, **members}},
        )
        return answer.warnings


def mentions(url: str) -> Callable[[str], bool]:
    """Return the test whether a text has this address, and not one that only begins with it."""
    whole = re.compile(rf"{re.escape(url)}(?![0-9])")
    return lambda text: whole.search(text) is not None
