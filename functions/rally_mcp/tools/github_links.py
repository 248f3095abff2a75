"""Linking Rally's artifacts and GitHub's issues and pull requests, both ways.

in Rally    a pull request becomes a connection of the artifact, an issue a post in its discussion
on GitHub   a comment names the artifact

Everything is read before anything is written: a sign-in that is missing is asked for first, and
what is linked already is not linked again.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from rally_mcp.errors import RallyMcpError, RateLimited, SignInRequired, UpstreamUnavailable
from rally_mcp.github.client import GitHubClient, ReadIssue
from rally_mcp.github.models import Kind
from rally_mcp.rally.links import LinkedPage, RallyLinks, mentions
from rally_mcp.rally.markdown_text import safe_address
from rally_mcp.tools.artifact_arguments import LONGEST_NAME
from rally_mcp.tools.context import ToolContext
from rally_mcp.tools.github_arguments import Number, RepositoryName
from rally_mcp.tools.github_facts import shown_line
from rally_mcp.tools.sanitize import one_line
from rally_mcp.tools.toolset import Answer, Arguments, Facts, Tool

Outcome = Literal["created", "existed"]


class LinkRallyToGitHub(Arguments):
    """Arguments of link_rally_to_github."""

    formatted_id: Annotated[
        str,
        Field(
            min_length=2,
            max_length=16,
            pattern=r"^[A-Za-z]{1,4}[0-9]{1,12}$",
            description="The FormattedID of the Rally artifact, such as US123 or DE45.",
        ),
    ]
    repository: RepositoryName
    number: Number


class LinkedIssue(Facts):
    """Facts of link_rally_to_github: what is linked, and what the call had to do for it."""

    success: bool
    message: str
    formatted_id: str
    name: str
    rally_url: str
    repository: str
    number: int
    kind: Kind
    title: str
    github_url: str
    in_rally: Outcome
    on_github: Outcome
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class _Pair:
    """What is to be linked, and how each side names the other."""

    links: RallyLinks
    github: GitHubClient
    read: ReadIssue
    rally_url: str

    async def is_in_rally(self) -> bool:
        url = self.read.address.url
        if self.read.address.kind == "pull_request":
            return await self.links.has_pull_request(url)
        return await self.links.is_discussed(url)

    async def is_on_github(self) -> bool:
        return await self.github.has_comment(self.read, mentions(self.rally_url))

    async def link_in_rally(self) -> list[str]:
        """Link, and return what Rally warned about."""
        address, pull_request = self.read.address, self.read.pull_request
        page = LinkedPage(
            external_id=str(pull_request.id if pull_request else self.read.issue.id),
            reference=str(address),
            title=one_line(self.read.issue.title, LONGEST_NAME),
            url=address.url,
        )
        if pull_request:
            return await self.links.add_pull_request(page)
        return await self.links.discuss(page)

    async def link_on_github(self) -> None:
        artifact = self.links.artifact
        await self.github.comment(
            self.read.address,
            f"Rally: [{artifact.formatted_id}]({self.rally_url}) {_code(artifact.name)}",
        )


async def link_rally_to_github(context: ToolContext, arguments: LinkRallyToGitHub) -> Answer:
    """Link an artifact and an issue or pull request."""
    rally, github = context.upstreams.rally, context.upstreams.github
    artifact_type, artifact = await rally.read(arguments.formatted_id)
    read = await github.issue(arguments.repository, arguments.number)
    url = safe_address(artifact_type.url(context.upstreams.rally_url, artifact.object_id))
    pair = _Pair(RallyLinks(rally.wsapi, artifact_type, artifact), github, read, url)
    was_in_rally = await pair.is_in_rally()
    was_on_github = await pair.is_on_github()
    warnings = [] if was_in_rally else await pair.link_in_rally()
    try:
        if not was_on_github:
            await pair.link_on_github()
    except RallyMcpError as error:
        raise _half_done(error, pair) from error
    facts = _facts(pair, was_in_rally=was_in_rally, was_on_github=was_on_github, warnings=warnings)
    return _answer(facts)


def _half_done(error: RallyMcpError, pair: _Pair) -> RallyMcpError:
    """Return an error of the same kind that tells what is done and what is not."""
    message = (
        f"{pair.links.artifact.formatted_id} links to {pair.read.address} in Rally, but GitHub "
        f"did not confirm the comment there: {error.message} Repeat this call to complete the "
        "link; what is there is not made twice."
    )
    match error:
        case SignInRequired():
            return error  # its own instructions end with repeating the call
        case RateLimited():
            return RateLimited(message, retry_after=error.retry_after)
        case UpstreamUnavailable():
            return UpstreamUnavailable(message, retry_after=error.retry_after)
    return type(error)(message)


def _facts(
    pair: _Pair, *, was_in_rally: bool, was_on_github: bool, warnings: list[str]
) -> LinkedIssue:
    artifact, address = pair.links.artifact, pair.read.address
    return LinkedIssue(
        success=True,
        message="Rally artifact and GitHub issue linked successfully",
        formatted_id=artifact.formatted_id,
        name=one_line(artifact.name, LONGEST_NAME),
        rally_url=pair.rally_url,
        repository=address.repository,
        number=address.number,
        kind=address.kind,
        title=shown_line(pair.read.issue.title),
        github_url=address.url,
        in_rally="existed" if was_in_rally else "created",
        on_github="existed" if was_on_github else "created",
        warnings=[one_line(warning, LONGEST_NAME) for warning in warnings],
    )


def _answer(facts: LinkedIssue) -> Answer:
    said = "".join(f"\nRally warned: {warning}" for warning in facts.warnings)
    return Answer(
        facts,
        f"{facts.formatted_id} and {facts.repository}#{facts.number} are linked "
        f"(in Rally: {facts.in_rally}, on GitHub: {facts.on_github}): "
        f"{facts.rally_url} {facts.github_url}{said}",
        user_fields={"name": facts.name, "title": facts.title},
    )


def _code(text: str) -> str:
    """Return Rally's text as code, in which GitHub sees no mentions, numbers, links or HTML."""
    line = one_line(text, LONGEST_NAME)
    longest = max(map(len, re.findall("`+", line)), default=0)
    ticks = "`" * (longest + 1)
    # The space is not shown; without it a tick of the text's own could end the code.
    return f"{ticks} {line} {ticks}" if line else ""


TOOLS = (
    Tool(
        name="link_rally_to_github",
        title="Link Rally to GitHub",
        description=(
            "Link a Rally artifact and a GitHub issue or pull request both ways: a connection or "
            "discussion post in Rally, a comment on GitHub that shows the artifact's name to all "
            "who can read the repository. Safe to repeat: what is linked stays as it is."
        ),
        toolset="github",
        arguments=LinkRallyToGitHub,
        facts=LinkedIssue,
        handler=link_rally_to_github,
        read_only=False,
        failure="Failed to link Rally to GitHub",
        idempotent=True,
        upstreams=("rally", "github"),
    ),
)
