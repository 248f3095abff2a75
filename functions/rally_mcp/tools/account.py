"""The toolset `account`: who is signed in to what, finishing a sign-in, and signing out."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from rally_mcp.tools.context import ToolContext
from rally_mcp.tools.sanitize import one_line
from rally_mcp.tools.toolset import Answer, Arguments, Facts, Tool

_LONGEST_SHOWN = 256
"""Characters of a name."""

_STATUSES: Mapping[str, str] = {
    "signed_in": "signed in",
    "waiting_for_code": "waits for the confirmation code that the sign-in page shows",
    "sign_in_started": "a sign-in was started in the browser and is not finished",
    "signed_out": "not signed in; a tool that needs it answers with a link",
    "shared": "used with this deployment's own account",
}
"""What each status means, for people to read."""


class NoArguments(Arguments):
    """For tools that take none."""


class CompleteSignIn(Arguments):
    """Arguments of complete_sign_in."""

    code: Annotated[
        str,
        Field(
            repr=False,
            min_length=1,
            max_length=64,
            description="The confirmation code that the sign-in page shows, such as K7QF-2M9X.",
        ),
    ]


class SignOut(Arguments):
    """Arguments of sign_out."""

    upstream: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=32,
            description="Sign out of this system alone, such as github; of all if absent.",
        ),
    ] = None


class ConnectionStatus(Facts):
    """Where the caller stands with one upstream."""

    upstream: str
    title: str
    status: str
    user: str
    tenant: str


class AuthStatus(Facts):
    """Facts of auth_status."""

    connections: list[ConnectionStatus]


class RallyUser(Facts):
    """Facts of get_rally_user."""

    id: str
    user_name: str
    display_name: str
    email_address: str
    default_workspace: str
    default_project: str


class SignedIn(Facts):
    """Facts of complete_sign_in."""

    success: bool
    message: str


class SignedOut(Facts):
    """Facts of sign_out."""

    success: bool
    message: str


async def get_rally_user(context: ToolContext, _: NoArguments) -> Answer:
    """Tell who is signed in."""
    me = await context.upstreams.rally.me()
    facts = RallyUser(
        id=str(me.user.object_id),
        user_name=_line(me.user.user_name),
        display_name=_line(me.user.display_name),
        email_address=_line(me.user.email_address),
        default_workspace=_line(me.workspace),
        default_project=_line(me.project),
    )
    return Answer(
        facts,
        f"Signed in to Rally as {facts.display_name or facts.user_name}.",
        user_fields={
            "default_workspace": facts.default_workspace,
            "default_project": facts.default_project,
        },
    )


async def complete_sign_in(context: ToolContext, arguments: CompleteSignIn) -> Answer:
    """Make the tokens that wait for the code active."""
    whose = _line(await context.sign_in.confirm(arguments.code))
    message = f"Signed in as {whose}. Repeat the request that asked for the sign-in."
    return Answer(SignedIn(success=True, message=message), message)


async def auth_status(context: ToolContext, _: NoArguments) -> Answer:
    """List the caller's connections."""
    connections = await context.sign_in.connections()
    facts = AuthStatus(
        connections=[
            ConnectionStatus(
                upstream=each.upstream,
                title=each.title,
                status=each.status,
                user=_line(each.user),
                tenant=_line(each.tenant),
            )
            for each in connections
        ]
    )
    lines = [f"{each.title} ({each.upstream}): {_STATUSES[each.status]}" for each in connections]
    return Answer(
        facts,
        "\n".join(lines),
        user_fields={f"{each.upstream} user": _line(each.user) for each in connections},
    )


async def sign_out(context: ToolContext, arguments: SignOut) -> Answer:
    """Forget the caller's sign-in at one upstream, or everything about the caller."""
    ended = await context.sign_in.sign_out(arguments.upstream)
    if not ended.ended:
        message = "Nobody was signed in."
    else:
        message = f"Signed out of {' and '.join(ended.ended)}. Tokens are deleted."
    if ended.revoked:
        message += f" They are revoked at {' and '.join(ended.revoked)} too."
    return Answer(SignedOut(success=True, message=message), message)


def _line(text: str) -> str:
    return one_line(text, _LONGEST_SHOWN)


TOOLS = (
    Tool(
        name="get_rally_user",
        title="Get the Rally user",
        description=(
            "Tell who is signed in to Rally: name, mail address, default workspace and default "
            "project (where new work goes when no project is named)."
        ),
        toolset="account",
        arguments=NoArguments,
        facts=RallyUser,
        handler=get_rally_user,
        read_only=True,
        failure="Failed to get Rally user",
        idempotent=True,
    ),
    Tool(
        name="auth_status",
        title="Show the sign-ins",
        description=(
            "Tell which systems the caller is signed in to, and as whom. Starts no sign-in: the "
            "tool that needs one answers with its link."
        ),
        toolset="account",
        arguments=NoArguments,
        facts=AuthStatus,
        handler=auth_status,
        read_only=True,
        failure="Failed to get auth status",
        idempotent=True,
        open_world=False,
        upstreams=(),
    ),
    Tool(
        name="complete_sign_in",
        title="Complete the sign-in",
        description=(
            "Finish signing in where the instructions ask for a code: pass the confirmation code "
            'that the user read on the sign-in page (the user says "authentication complete" and '
            "the code). Then repeat the request that asked for the sign-in. Never make up a code."
        ),
        toolset="account",
        arguments=CompleteSignIn,
        facts=SignedIn,
        handler=complete_sign_in,
        read_only=False,
        failure="Failed to complete sign-in",
        open_world=False,
        upstreams=(),
    ),
    Tool(
        name="sign_out",
        title="Sign out",
        description=(
            "Delete the caller's tokens at once, everywhere: of one system, or of all. Only on the "
            "user's request; the next tool call asks for a new sign-in."
        ),
        toolset="account",
        arguments=SignOut,
        facts=SignedOut,
        handler=sign_out,
        read_only=False,
        failure="Failed to sign out",
        destructive=True,
        idempotent=True,
        open_world=False,
        upstreams=(),
    ),
)
