"""What a tool is: a value with its schemas, hints and handler, and the one way to run it.

A tool gets a ToolContext, which can reach upstreams as the caller but holds no credential. It
returns an Answer: facts for programs, a summary for people, and what people wrote kept apart.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from rally_mcp import audit
from rally_mcp.audit import AuditEvent, Decision
from rally_mcp.errors import InvalidInput, RallyMcpError, SignInRequired, UserError
from rally_mcp.tools.context import ToolContext


class Arguments(BaseModel):
    """What a tool takes. Unknown arguments are refused, so that a typing error is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Facts(BaseModel):
    """What a tool answers to programs."""

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """A tool's answer.

    `summary` says the outcome in trusted words. What people wrote comes apart from it
    (label → text), and a model sees it between markers: `user_texts` are in no fact, REST gives
    them as further members; `user_fields` repeat short facts for clients that show a model the
    text alone.
    """

    facts: Facts
    summary: str
    user_fields: Mapping[str, str] = field(default_factory=dict)
    user_texts: Mapping[str, str] = field(default_factory=dict)


ArgumentsT = TypeVar("ArgumentsT", bound=Arguments)


@dataclass(frozen=True, slots=True)
class Tool(Generic[ArgumentsT]):
    """One tool. `failure` heads REST's error answers; hints are MCP's tool annotations."""

    name: str
    title: str
    description: str
    toolset: str
    arguments: type[ArgumentsT]
    facts: type[Facts]
    handler: Callable[[ToolContext, ArgumentsT], Awaitable[Answer]]
    read_only: bool
    failure: str = "Tool execution failed"
    user_texts: tuple[str, ...] = ()
    """Labels of the user_texts that the tool may answer with."""
    destructive: bool = False
    idempotent: bool = False
    open_world: bool = True
    upstreams: tuple[str, ...] = ("rally",)
    """What the tool needs to reach; none for tools that every access token may use."""
    input_schema: dict[str, Any] = field(init=False, repr=False)
    output_schema: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make both schemas once: they are asked for at every listing."""
        object.__setattr__(
            self,
            "input_schema",
            _described_by_tool(_without_titles(self.arguments.model_json_schema())),
        )
        object.__setattr__(self, "output_schema", _open_schema(self.facts))

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that an access token must have for this tool."""
        kind = "read" if self.read_only else "write"
        return tuple(f"{upstream}:{kind}" for upstream in self.upstreams)

    async def run(self, context: ToolContext, arguments: object) -> Answer:
        """Check the arguments, run, and write the audit event. Raises errors of the one tree."""
        started = time.perf_counter()
        decision: Decision = "failed"
        reason = None
        try:
            answer = await self.handler(context, self._checked(arguments))
            decision = "allowed"
        except RallyMcpError as error:
            decision, reason = _decision(error), type(error).__name__
            raise
        finally:
            audit.write(
                AuditEvent.TOOL_CALLED,
                principal=context.principal,
                client=context.client,
                user=context.user(),
                upstream=", ".join(self.upstreams) or None,
                tool=self.name,
                decision=decision,
                reason=reason,
                milliseconds=round((time.perf_counter() - started) * 1000, 1),
            )
        return answer

    def _checked(self, arguments: object) -> ArgumentsT:
        if not isinstance(arguments, dict):
            raise InvalidInput("The arguments must be a JSON object.")
        try:
            return self.arguments.model_validate(arguments)
        except ValidationError as error:
            raise InvalidInput(_sentence(error)) from None


def _decision(error: RallyMcpError) -> Decision:
    if isinstance(error, SignInRequired):
        return "sign_in_required"
    return "refused" if isinstance(error, UserError) else "failed"


def _sentence(error: ValidationError) -> str:
    """Say what is wrong with the arguments, without repeating their values."""
    problems = [
        f"{'.'.join(str(part) for part in item['loc']) or 'arguments'}: "
        f"{item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_input=False, include_context=False, include_url=False)
    ]
    return f"Some arguments are not acceptable. {'; '.join(problems[:5])}."


def _without_titles(schema: dict[str, Any]) -> dict[str, Any]:
    """Drop the titles that pydantic makes out of names: they cost a model tokens for nothing."""
    kept: dict[str, Any] = {}
    for name, member in schema.items():
        if name in {"properties", "$defs"}:
            kept[name] = {key: _without_titles(value) for key, value in member.items()}
        elif isinstance(member, dict):
            kept[name] = _without_titles(member)
        elif name != "title":
            kept[name] = member
    return kept


def _described_by_tool(schema: dict[str, Any]) -> dict[str, Any]:
    """Drop the class's own description: the tool has one that is written for a model."""
    return {name: member for name, member in schema.items() if name != "description"}


def _open_schema(facts: type[Facts]) -> dict[str, Any]:
    """Describe the facts without `required`: an error must fit the same schema.

    A client that checks answers (the TypeScript SDK) throws away an error result that misses a
    required member, and the sign-in link with it.
    """

    def opened(schema: Any) -> Any:
        if isinstance(schema, dict):
            return {
                key: opened(value)
                for key, value in schema.items()
                if key not in {"required", "additionalProperties"}
            }
        return [opened(item) for item in schema] if isinstance(schema, list) else schema

    schema = facts.model_json_schema(mode="serialization")
    opened_schema: dict[str, Any] = opened(_described_by_tool(_without_titles(schema)))
    return opened_schema
