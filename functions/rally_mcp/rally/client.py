"""Rally's objects for one caller: create, read by FormattedID, who am I.

One request per call in the common case; a project given by name costs one more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rally_mcp.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    RallyMcpError,
    UpstreamRejected,
)
from rally_mcp.rally.answers import IN_DOUBT, UnknownType
from rally_mcp.rally.artifact_types import ArtifactType, prefix_of, stock_type_of
from rally_mcp.rally.models import ARTIFACT_FIELDS, Artifact, Envelope, Reference, User, UserProfile
from rally_mcp.rally.query import all_of, equals
from rally_mcp.rally.tenant import allowed_values, types_by_prefix
from rally_mcp.rally.wsapi import Wsapi

WHOLE_WORKSPACE = {"project": "null", "projectScopeUp": "false", "projectScopeDown": "true"}
"""Always sent: the server's own defaults differ between stacks and read parent projects too."""

_USER_FIELDS = (
    "ObjectID,UserName,DisplayName,EmailAddress,UserProfile,DefaultWorkspace,DefaultProject,Name"
)
_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class Created:
    """A new artifact and what Rally warned about while creating it."""

    artifact: Artifact
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Me:
    """The signed-in user and where new work goes by default."""

    user: User
    workspace: str
    project: str


@dataclass(frozen=True, slots=True)
class RallyClient:
    """Rally as one caller sees it. `projects` bounds what may be touched; empty means all."""

    wsapi: Wsapi
    projects: tuple[str, ...] = ()

    async def create(
        self, artifact_type: ArtifactType, fields: Mapping[str, Any], project: str | None
    ) -> Created:
        """Create an artifact, in the named project or the user's default one; never twice.

        Raises NotFound or Conflict for the project, InvalidInput with Rally's words for a field.
        """
        members = dict(fields)
        wanted = self._allowed_project(project)
        if wanted is not None:
            members["Project"] = (await self._project(wanted)).ref
        try:
            answer = await self.wsapi.post(
                f"{artifact_type.path}/create",
                {"fetch": ARTIFACT_FIELDS},
                {artifact_type.wsapi_type: members},
            )
        except InvalidInput as error:
            raise InvalidInput(await self._explained(artifact_type, error.message)) from error
        return await self._created(artifact_type, answer)

    async def _explained(self, artifact_type: ArtifactType, refusal: str) -> str:
        """Return Rally's refusal with the values of the picklists that it names."""
        sentences = [refusal.rstrip(".")]
        for name in ("Severity", "Priority"):
            if name in refusal:
                values = await allowed_values(self.wsapi, artifact_type, name)
                if values:
                    sentences.append(f"{name} takes: {', '.join(values)}")
        return ". ".join(sentences) + "."

    async def read(self, formatted_id: str) -> tuple[ArtifactType, Artifact]:
        """Read an artifact by its FormattedID, such as US123. Raises NotFound, InvalidInput.

        One request where the prefix is Rally's own; the tenant's prefixes are read only where
        that finds nothing.
        """
        formatted_id = formatted_id.upper()
        prefix = prefix_of(formatted_id)
        stock = stock_type_of(prefix)
        if stock and (artifact := await self._find(stock, formatted_id)):
            return stock, artifact
        types = await types_by_prefix(self.wsapi)
        own = types.get(prefix)
        if own and own != stock and (artifact := await self._find(own, formatted_id)):
            return own, artifact
        if own is None and stock is None:
            known = ", ".join(f"{kind.prefix} ({kind.title})" for kind in types.values())
            raise InvalidInput(f"Rally knows no prefix {prefix}. Known prefixes: {known}.")
        raise NotFound(
            f"Rally shows you no {formatted_id} in your default workspace; check the number."
        )

    async def _find(self, artifact_type: ArtifactType, formatted_id: str) -> Artifact | None:
        try:
            found = await self.wsapi.get(
                artifact_type.path,
                {
                    "query": equals("FormattedID", formatted_id).text,
                    "fetch": ARTIFACT_FIELDS,
                    "pagesize": "2",
                    "start": "1",
                    **WHOLE_WORKSPACE,
                },
            )
        except UnknownType:
            return None
        for artifact in map(_artifact, found.results):
            if artifact.formatted_id.upper() == formatted_id and self._may_see(artifact):
                return artifact
        return None

    async def me(self) -> Me:
        """Return the signed-in user with default workspace and project."""
        answer = await self.wsapi.get("user", {"fetch": _USER_FIELDS})
        members = answer.results[0] if answer.results else answer.members
        try:
            user = User.model_validate(members)
            profile = UserProfile.model_validate(user.profile)
            if profile.default_project is None and "_ref" in user.profile:
                path = f"userprofile/{Reference.model_validate(user.profile).object_id}"
                fetched = await self.wsapi.get(path, {"fetch": _USER_FIELDS})
                profile = UserProfile.model_validate(fetched.members)
        except ValueError as error:
            raise UpstreamRejected("Rally did not say who is signed in.") from error
        return Me(user, _name(profile.default_workspace), _name(profile.default_project))

    def _allowed_project(self, project: str | None) -> str | None:
        if not self.projects:
            return project
        if project is None and len(self.projects) == 1:
            return self.projects[0]
        if project not in self.projects:
            raise InvalidInput(
                f"Name one of the projects that this deployment allows: {', '.join(self.projects)}."
            )
        return project

    def _may_see(self, artifact: Artifact) -> bool:
        return not self.projects or _name(artifact.project) in self.projects

    async def _project(self, name: str) -> Reference:
        """Find an open project by its exact name."""
        query = all_of(equals("Name", name), equals("State", "Open"))
        found = await self._projects(query.text)
        # Rally may compare without regard to case; the name as it was written wins.
        found = [project for project in found if project.name == name] or found
        if len(found) == 1:
            return found[0]
        if found:
            raise Conflict(
                f"Rally has {len(found)} open projects of that name in your workspace; "
                "rename one or use your default project."
            )
        names = [
            project.name
            for project in await self._projects(equals("State", "Open").text)
            if not self.projects or project.name in self.projects
        ]
        raise NotFound(
            "Rally shows you no open project of that name. "
            f"Open projects: {', '.join(names[:_MOST_NAMES]) or 'none'}."
        )

    async def _projects(self, query: str) -> list[Reference]:
        found = await self.wsapi.get(
            "project",
            {
                "query": query,
                "fetch": "Name,ObjectID,State",
                "order": "Name,ObjectID",
                "pagesize": str(_MOST_NAMES),
                "start": "1",
            },
        )
        return [Reference.model_validate(result) for result in found.results]

    async def _created(self, artifact_type: ArtifactType, answer: Envelope) -> Created:
        """Read the new artifact from the answer, or by its reference where that is all there is.

        It exists by now: whatever fails from here on is a warning or a doubt, never a plain error
        that would have it created again.
        """
        try:
            created = _artifact(answer.created)
        except UpstreamRejected as error:
            raise UpstreamRejected(f"{error.message} {IN_DOUBT}") from error
        if created.formatted_id:
            return Created(created, answer.warnings)
        try:
            read = await self.wsapi.get(
                f"{artifact_type.path}/{created.object_id}", {"fetch": ARTIFACT_FIELDS}
            )
            return Created(_artifact(read.members), answer.warnings)
        except RallyMcpError:
            return Created(created, [*answer.warnings, "Rally has not told its number yet."])


def _artifact(members: Mapping[str, Any]) -> Artifact:
    try:
        object_id = members.get("ObjectID") or Reference.model_validate(members).object_id
        return Artifact.model_validate({**members, "ObjectID": object_id})
    except ValueError as error:
        raise UpstreamRejected("Rally's answer misses what it should have.") from error


def _name(reference: Reference | None) -> str:
    return reference.name if reference else ""
