"""The toolset `account`: who is signed in, finishing a sign-in, and signing out."""

from typing import Annotated

from pydantic import Field

from rally_mcp.tools.sanitize import one_line
from rally_mcp.tools.toolset import Answer, Arguments, Facts, Tool, ToolContext

_LONGEST_SHOWN = 256
"""Characters of a name."""


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
    me = await context.rally.me()
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


async def sign_out(context: ToolContext, _: NoArguments) -> Answer:
    """Forget everything about the caller."""
    was_known = await context.sign_in.sign_out()
    message = "Signed out. Tokens are deleted." if was_known else "Nobody was signed in."
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
        area=None,
    ),
    Tool(
        name="sign_out",
        title="Sign out",
        description=(
            "Delete the caller's Rally tokens at once, everywhere. Only on the user's request; "
            "the next tool call asks for a new sign-in."
        ),
        toolset="account",
        arguments=NoArguments,
        facts=SignedOut,
        handler=sign_out,
        read_only=False,
        failure="Failed to sign out",
        destructive=True,
        idempotent=True,
        open_world=False,
        area=None,
    ),
)
