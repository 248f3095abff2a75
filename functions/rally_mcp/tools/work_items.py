"""The toolset `work_items`: create and read Rally's stories and defects."""

from collections.abc import Mapping
from typing import Annotated

from anyio import to_thread
from pydantic import Field

from rally_mcp.rally.artifact_types import DEFECT, STORY, ArtifactType
from rally_mcp.rally.models import Artifact, Reference
from rally_mcp.rally.rich_text import html_to_markdown, markdown_to_html
from rally_mcp.tools.artifact_arguments import (
    LONGEST_NAME,
    POINTS,
    Description,
    Line,
    Points,
    Project,
    Title,
)
from rally_mcp.tools.context import ToolContext
from rally_mcp.tools.sanitize import capped, one_line, visible
from rally_mcp.tools.toolset import Answer, Arguments, Facts, Tool

_LONGEST_SHOWN = 20_000
"""Characters of one text that a model is shown."""


class CreateRallyStory(Arguments):
    """Arguments of create_rally_story."""

    title: Title
    description: Description = ""
    points: Annotated[Points, Field(description=POINTS)] = 1
    project: Project = None


class CreateRallyDefect(Arguments):
    """Arguments of create_rally_defect."""

    title: Title
    description: Description = ""
    severity: Annotated[
        Line | None,
        Field(min_length=1, max_length=128, description="One of the workspace's severities."),
    ] = None
    priority: Annotated[
        Line | None,
        Field(min_length=1, max_length=128, description="One of the workspace's priorities."),
    ] = None
    points: Annotated[Points | None, Field(description=POINTS)] = None
    project: Project = None


class GetRallyIssue(Arguments):
    """Arguments of get_rally_issue."""

    formatted_id: Annotated[
        str,
        Field(
            min_length=2,
            max_length=16,
            pattern=r"^[A-Za-z]{1,4}[0-9]{1,12}$",
            description="The FormattedID, such as US123 (story), DE45 (defect) or TA6 (task).",
        ),
    ]


class CreatedItem(Facts):
    """A new artifact."""

    id: str
    formatted_id: str
    name: str
    state: str
    url: str
    project: str


class CreatedStory(Facts):
    """Facts of create_rally_story."""

    success: bool
    message: str
    story: CreatedItem
    warnings: list[str]


class CreatedDefect(Facts):
    """Facts of create_rally_defect."""

    success: bool
    message: str
    defect: CreatedItem
    warnings: list[str]


class Issue(Facts):
    """Facts of get_rally_issue. Empty strings stand for what an artifact does not have."""

    id: str
    formatted_id: str
    type: str
    name: str
    state: str
    schedule_state: str
    plan_estimate: float | None
    priority: str
    severity: str
    blocked: bool
    project: str
    owner: str
    iteration: str
    release: str
    created_at: str
    updated_at: str
    url: str


async def create_rally_story(context: ToolContext, arguments: CreateRallyStory) -> Answer:
    """Create a user story."""
    fields = {
        "Name": arguments.title,
        "Description": await to_thread.run_sync(markdown_to_html, arguments.description),
        "PlanEstimate": arguments.points,
        "ScheduleState": "Defined",
    }
    item, warnings = await _create(context, STORY, fields, arguments.project)
    facts = CreatedStory(
        success=True,
        message="Rally story created successfully",
        story=item,
        warnings=warnings,
    )
    return _created(facts, STORY, item, warnings)


async def create_rally_defect(context: ToolContext, arguments: CreateRallyDefect) -> Answer:
    """Create a defect."""
    fields = {
        "Name": arguments.title,
        "Description": await to_thread.run_sync(markdown_to_html, arguments.description),
        "Severity": arguments.severity,
        "Priority": arguments.priority,
        "PlanEstimate": arguments.points,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    item, warnings = await _create(context, DEFECT, given, arguments.project)
    facts = CreatedDefect(
        success=True,
        message="Rally defect created successfully",
        defect=item,
        warnings=warnings,
    )
    return _created(facts, DEFECT, item, warnings)


async def get_rally_issue(context: ToolContext, arguments: GetRallyIssue) -> Answer:
    """Read one artifact."""
    artifact_type, artifact = await context.upstreams.rally.read(arguments.formatted_id)
    issue = _issue(context, artifact_type, artifact)
    points = "" if issue.plan_estimate is None else f", {issue.plan_estimate:g} points"
    return Answer(
        issue,
        f"{issue.formatted_id} is a {issue.type}, {issue.state}{points}: {issue.url}",
        user_fields={
            "name": issue.name,
            "owner": issue.owner,
            "project": issue.project,
            "iteration": issue.iteration,
            "release": issue.release,
        },
        user_texts={
            "blocked_reason": _line(artifact.blocked_reason),
            "description": _shown(artifact.description),
            "notes": _shown(artifact.notes),
        },
    )


async def _create(
    context: ToolContext,
    artifact_type: ArtifactType,
    fields: Mapping[str, object],
    project: str | None,
) -> tuple[CreatedItem, list[str]]:
    created = await context.upstreams.rally.create(artifact_type, fields, project)
    artifact = created.artifact
    item = CreatedItem(
        id=str(artifact.object_id),
        formatted_id=artifact.formatted_id,
        name=_line(artifact.name),
        state=_line(artifact.state or artifact.schedule_state),
        url=artifact_type.url(context.upstreams.rally_url, artifact.object_id),
        project=_named(artifact.project),
    )
    return item, [_line(warning) for warning in created.warnings]


def _created(
    facts: Facts, artifact_type: ArtifactType, item: CreatedItem, warnings: list[str]
) -> Answer:
    number = f" {item.formatted_id}" if item.formatted_id else ""
    said = "".join(f"\nRally warned: {warning}" for warning in warnings)
    return Answer(
        facts,
        f"Created {artifact_type.title}{number}: {item.url}{said}",
        user_fields={"project": item.project},
    )


def _issue(context: ToolContext, artifact_type: ArtifactType, artifact: Artifact) -> Issue:
    return Issue(
        id=str(artifact.object_id),
        formatted_id=artifact.formatted_id,
        type=artifact_type.title,
        name=_line(artifact.name),
        state=_line(artifact.state or artifact.schedule_state),
        schedule_state=_line(artifact.schedule_state),
        plan_estimate=artifact.plan_estimate,
        priority=_line(artifact.priority),
        severity=_line(artifact.severity),
        blocked=artifact.blocked,
        project=_named(artifact.project),
        owner=_named(artifact.owner),
        iteration=_named(artifact.iteration),
        release=_named(artifact.release),
        created_at=_line(artifact.created_at),
        updated_at=_line(artifact.updated_at),
        url=artifact_type.url(context.upstreams.rally_url, artifact.object_id),
    )


def _shown(html: str) -> str:
    return capped(visible(html_to_markdown(html)), _LONGEST_SHOWN)


def _line(text: str) -> str:
    return one_line(text, LONGEST_NAME)


def _named(reference: Reference | None) -> str:
    return _line(reference.name) if reference else ""


TOOLS = (
    Tool(
        name="create_rally_story",
        title="Create a Rally story",
        description=(
            "Create a user story in Rally as the signed-in user. Returns its FormattedID "
            "(US…), address and the project it went to. Not idempotent: after a time-out look "
            "before you repeat it."
        ),
        toolset="work_items",
        arguments=CreateRallyStory,
        facts=CreatedStory,
        handler=create_rally_story,
        read_only=False,
        failure="Failed to create Rally story",
    ),
    Tool(
        name="create_rally_defect",
        title="Create a Rally defect",
        description=(
            "Create a defect in Rally as the signed-in user. Severity and priority take the "
            "words of the user's workspace. Returns its FormattedID (DE…), address and project. "
            "Not idempotent: after a time-out look before you repeat it."
        ),
        toolset="work_items",
        arguments=CreateRallyDefect,
        facts=CreatedDefect,
        handler=create_rally_defect,
        read_only=False,
        failure="Failed to create Rally defect",
    ),
    Tool(
        name="get_rally_issue",
        title="Get a Rally issue",
        description=(
            "Read one Rally artifact by its FormattedID: a story (US…), defect (DE…), task "
            "(TA…) or other. Returns its fields, with description and notes as Markdown."
        ),
        toolset="work_items",
        arguments=GetRallyIssue,
        facts=Issue,
        handler=get_rally_issue,
        read_only=True,
        failure="Failed to get Rally issue",
        user_texts=("blocked_reason", "description", "notes"),
        idempotent=True,
    ),
)
