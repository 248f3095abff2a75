"""What the tools about GitHub take, with the bounds that GitHub sets."""

from typing import Annotated, Literal

from pydantic import Field

from rally_mcp.github.models import REPOSITORY
from rally_mcp.tools.artifact_arguments import Line
from rally_mcp.tools.toolset import Arguments

LONGEST_TITLE = 256
"""Characters that GitHub keeps of a title, and of anything else that is shown on a line."""

LONGEST_BODY = 65_536
"""Characters that GitHub keeps of a body or comment."""

RepositoryName = Annotated[
    str,
    Field(
        max_length=201,
        pattern=rf"^{REPOSITORY}$",
        description="The repository as owner/name, such as octocat/hello-world.",
    ),
]
Number = Annotated[
    int,
    Field(
        strict=True,
        ge=1,
        le=2_147_483_647,
        description="The number of the issue or pull request, such as 12.",
    ),
]
Name = Annotated[Line, Field(min_length=1, max_length=100)]


class GetGitHubIssue(Arguments):
    """Arguments of get_github_issue."""

    repository: RepositoryName
    number: Number


class SearchGitHubIssues(Arguments):
    """Arguments of search_github_issues."""

    query: Annotated[
        Line,
        Field(
            min_length=1,
            max_length=1000,
            description=(
                'Words, "exact words" and GitHub\'s search qualifiers, such as '
                "label:bug author:octocat."
            ),
        ),
    ]
    repository: Annotated[
        RepositoryName | None,
        Field(description="Search this repository alone, given as owner/name."),
    ] = None
    kind: Annotated[
        Literal["any", "issue", "pull_request"], Field(description="What to search for.")
    ] = "any"
    state: Annotated[
        Literal["any", "open", "closed"], Field(description="In which state it is.")
    ] = "any"
    limit: Annotated[
        int, Field(strict=True, ge=1, le=50, description="Most results of each kind on a page.")
    ] = 20
    page: Annotated[
        int, Field(strict=True, ge=1, le=1000, description="Which page of the results to return.")
    ] = 1


class CreateGitHubIssue(Arguments):
    """Arguments of create_github_issue."""

    repository: RepositoryName
    title: Annotated[
        Line,
        Field(min_length=1, max_length=LONGEST_TITLE, description="The title, one line of text."),
    ]
    body: Annotated[
        str, Field(max_length=LONGEST_BODY, description="The description, in Markdown.")
    ] = ""
    labels: Annotated[
        tuple[Name, ...], Field(max_length=100, description="Names of the repository's labels.")
    ] = ()
    assignees: Annotated[
        tuple[Name, ...], Field(max_length=10, description="Login names of who is to do it.")
    ] = ()
