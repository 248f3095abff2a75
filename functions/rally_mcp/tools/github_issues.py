"""The toolset `github`: read, search and create GitHub's issues, and read its pull requests."""

from anyio import to_thread

from rally_mcp.github.models import Kind
from rally_mcp.github.query import search_texts
from rally_mcp.github.rendered import markdown_to_seen_html
from rally_mcp.rally.rich_text import html_to_markdown
from rally_mcp.tools.account import NoArguments
from rally_mcp.tools.context import ToolContext
from rally_mcp.tools.github_arguments import (
    CreateGitHubIssue,
    GetGitHubIssue,
    SearchGitHubIssues,
)
from rally_mcp.tools.github_facts import (
    CreatedGitHubIssue,
    FoundIssues,
    GitHubIssue,
    GitHubUser,
    creation_facts,
    issue_facts,
    search_facts,
    user_facts,
)
from rally_mcp.tools.sanitize import capped, visible
from rally_mcp.tools.toolset import Answer, Tool

_LONGEST_SHOWN = 20_000
"""Characters of one text that a model is shown."""

_WORDS: dict[Kind, str] = {"issue": "issue", "pull_request": "pull request"}


async def get_github_user(context: ToolContext, _: NoArguments) -> Answer:
    """Tell who is signed in."""
    facts = user_facts(await context.upstreams.github.me())
    return Answer(facts, f"Signed in to GitHub as {facts.login}.", user_fields={"name": facts.name})


async def get_github_issue(context: ToolContext, arguments: GetGitHubIssue) -> Answer:
    """Read one issue or pull request."""
    read = await context.upstreams.github.issue(arguments.repository, arguments.number)
    facts = issue_facts(read)
    return Answer(
        facts,
        f"{_WORDS[facts.kind].capitalize()} {read.address} is {_standing(facts)}: {facts.url}",
        user_fields={
            "title": facts.title,
            "author": facts.author,
            "labels": ", ".join(facts.labels),
            "assignees": ", ".join(facts.assignees),
            "milestone": facts.milestone,
            "head": facts.head,
            "base": facts.base,
        },
        user_texts={"body": await to_thread.run_sync(_shown, read.issue.body)},
    )


async def search_github_issues(context: ToolContext, arguments: SearchGitHubIssues) -> Answer:
    """Search issues and pull requests."""
    queries = search_texts(arguments.query, arguments.repository, arguments.kind, arguments.state)
    found = await context.upstreams.github.search(queries, arguments.limit, arguments.page)
    facts = search_facts(found)
    more = " GitHub did not search everything: there may be more." if facts.incomplete else ""
    return Answer(
        facts,
        f"Found {facts.total}; page {arguments.page} has {len(facts.items)} of them.{more}",
        user_fields={
            f"{item.repository}#{item.number}": f"{item.state} {_WORDS[item.kind]}: {item.title}"
            for item in facts.items
        },
    )


async def create_github_issue(context: ToolContext, arguments: CreateGitHubIssue) -> Answer:
    """Create an issue."""
    fields = arguments.model_dump(mode="json", exclude={"repository"})
    created = await context.upstreams.github.create_issue(arguments.repository, fields)
    facts = creation_facts(created, arguments)
    said = "".join(f"\n{warning}" for warning in facts.warnings)
    return Answer(facts, f"Created issue {created.address}: {created.address.url}{said}")


def _standing(facts: GitHubIssue) -> str:
    if facts.merged:
        return "merged"
    return f"{facts.state}, a draft" if facts.draft else facts.state


def _shown(markdown: str) -> str:
    return capped(visible(html_to_markdown(markdown_to_seen_html(markdown))), _LONGEST_SHOWN)


TOOLS = (
    Tool(
        name="get_github_user",
        title="Get the GitHub user",
        description="Tell who is signed in to GitHub: login, name and public mail address.",
        toolset="github",
        arguments=NoArguments,
        facts=GitHubUser,
        handler=get_github_user,
        read_only=True,
        failure="Failed to get GitHub user",
        idempotent=True,
        upstreams=("github",),
    ),
    Tool(
        name="get_github_issue",
        title="Get a GitHub issue",
        description=(
            "Read one GitHub issue or pull request by its number: state, people, labels, for a "
            "pull request also its branches, and the body as Markdown. Comments are only counted."
        ),
        toolset="github",
        arguments=GetGitHubIssue,
        facts=GitHubIssue,
        handler=get_github_issue,
        read_only=True,
        failure="Failed to get GitHub issue",
        user_texts=("body",),
        idempotent=True,
        upstreams=("github",),
    ),
    Tool(
        name="search_github_issues",
        title="Search GitHub issues",
        description=(
            "Search the GitHub issues and pull requests that the user may see, by words and "
            "GitHub's own qualifiers. Returns one page and the total; GitHub gives out the first "
            "1000 results."
        ),
        toolset="github",
        arguments=SearchGitHubIssues,
        facts=FoundIssues,
        handler=search_github_issues,
        read_only=True,
        failure="Failed to search GitHub issues",
        idempotent=True,
        upstreams=("github",),
    ),
    Tool(
        name="create_github_issue",
        title="Create a GitHub issue",
        description=(
            "Create an issue in a GitHub repository as the signed-in user. Returns its number "
            "and address. Not idempotent: after a time-out look before you repeat it."
        ),
        toolset="github",
        arguments=CreateGitHubIssue,
        facts=CreatedGitHubIssue,
        handler=create_github_issue,
        read_only=False,
        failure="Failed to create GitHub issue",
        upstreams=("github",),
    ),
)
