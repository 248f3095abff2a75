"""Rally's objects as this product reads them, and the envelopes they come in.

WSAPI answers HTTP 200 also for failures: `Errors` decides (docs/rally-wsapi.md). Errors and
warnings stand in the envelope, or for a single object inside the object itself.
"""

from typing import Annotated, Any

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationInfo,
    field_validator,
)


class _FromRally(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    @field_validator("*", mode="before")
    @classmethod
    def _null_is_empty(cls, value: object, info: ValidationInfo) -> object:
        """Read Rally's nulls as the field's own emptiness, and its `State` objects by name."""
        field = cls.model_fields[info.field_name or ""]
        if value is None and not field.is_required():
            return field.get_default(call_default_factory=True)
        if field.annotation is str and isinstance(value, dict):
            return value.get("_refObjectName", "")
        return value


class Reference(_FromRally):
    """A reference to another object, with the name it goes by."""

    ref: str = Field("", alias="_ref")
    name: str = Field("", validation_alias=AliasChoices("_refObjectName", "Name"))

    @property
    def object_id(self) -> str:
        """The ObjectID at the end of the reference."""
        return self.ref.rsplit("/", 1)[-1]


class Envelope(_FromRally):
    """What every answer has, whatever Rally calls its outermost member."""

    errors: list[str] = Field(default_factory=list, alias="Errors")
    warnings: list[str] = Field(default_factory=list, alias="Warnings")
    results: list[dict[str, Any]] = Field(default_factory=list, alias="Results")
    created: dict[str, Any] = Field(default_factory=dict, alias="Object")
    members: dict[str, Any] = Field(default_factory=dict)
    """Everything in it, for answers that are the object itself."""

    @classmethod
    def parse(cls, answer: object) -> "Envelope":
        """Read an answer's only member. Raises ValidationError for anything else."""
        (members,) = _ANSWER.validate_python(answer).values()
        return cls.model_validate({**members, "members": members})


_ANSWER = TypeAdapter(Annotated[dict[str, dict[str, Any]], Field(min_length=1, max_length=1)])


class Artifact(_FromRally):
    """A story, defect, task or other artifact; what a type does not have stays empty."""

    object_id: int = Field(alias="ObjectID")
    formatted_id: str = Field("", alias="FormattedID")
    name: str = Field("", alias="Name")
    description: str = Field("", alias="Description")
    notes: str = Field("", alias="Notes")
    schedule_state: str = Field("", alias="ScheduleState")
    state: str = Field("", alias="State")
    plan_estimate: float | None = Field(None, alias="PlanEstimate")
    priority: str = Field("", alias="Priority")
    severity: str = Field("", alias="Severity")
    blocked: bool = Field(default=False, alias="Blocked")
    blocked_reason: str = Field("", alias="BlockedReason")
    created_at: str = Field("", alias="CreationDate")
    updated_at: str = Field("", alias="LastUpdateDate")
    project: Reference | None = Field(None, alias="Project")
    owner: Reference | None = Field(None, alias="Owner")
    iteration: Reference | None = Field(None, alias="Iteration")
    release: Reference | None = Field(None, alias="Release")


ARTIFACT_FIELDS = ",".join(
    field.alias for field in Artifact.model_fields.values() if field.alias is not None
)
"""The `fetch` that fills an Artifact. Rally ignores names that a type does not have."""


class UserProfile(_FromRally):
    """Where a user's new work goes by default."""

    default_workspace: Reference | None = Field(None, alias="DefaultWorkspace")
    default_project: Reference | None = Field(None, alias="DefaultProject")


class User(_FromRally):
    """A Rally user."""

    object_id: int = Field(alias="ObjectID")
    user_name: str = Field("", alias="UserName")
    display_name: str = Field("", alias="DisplayName")
    email_address: str = Field("", alias="EmailAddress")
    profile: dict[str, Any] = Field(default_factory=dict, alias="UserProfile")
