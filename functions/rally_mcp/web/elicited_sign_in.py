"""Signing in within one tool call: the client asks the person, and repeats the call by itself.

    1  the page      a URL for the client to open, where it can (elicitation in URL mode)
    2  the code      a form for the confirmation code that the page shows (form mode)

From protocol 2026-07-28 on a call may answer `input_required`, and the client repeats it with the
responses (SEP-2322). Nothing needs remembering between the rounds: which of them comes next follows
from the responses and from the principal's record. Who declines gets the answer in text.
"""

from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext

from rally_mcp.errors import SignInPrompt

FIRST_VERSION = "2026-07-28"

_PAGE = "sign_in_page"
_CODE = "confirmation_code"
_MEMBER = "code"
_LONGEST_CODE = 64


@dataclass(frozen=True, slots=True)
class ElicitedSignIn:
    """What a client can ask its person, and what this call already brings of it."""

    shows_forms: bool
    opens_urls: bool
    was_at_page: bool
    declined: bool
    answered: bool
    """The form was sent, with a code or, where none is expected, without."""
    code: str = field(default="", repr=False)

    @classmethod
    def of(
        cls, context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> "ElicitedSignIn":
        """Read the client's capabilities and responses."""
        capabilities = context.session.client_capabilities
        elicitation = capabilities.elicitation if capabilities else None
        may_ask = elicitation is not None and context.protocol_version >= FIRST_VERSION
        responses = {
            name: response
            for name, response in (params.input_responses or {}).items()
            if may_ask and name in {_PAGE, _CODE} and isinstance(response, types.ElicitResult)
        }
        form = responses.get(_CODE)
        typed = (form.content or {}).get(_MEMBER) if form and form.action == "accept" else None
        return cls(
            # A client that names no mode can show forms (MCP elicitation, capabilities).
            shows_forms=may_ask
            and elicitation is not None
            and (elicitation.form is not None or elicitation.url is None),
            opens_urls=may_ask and elicitation is not None and elicitation.url is not None,
            was_at_page=_PAGE in responses,
            declined=any(response.action != "accept" for response in responses.values()),
            answered=form is not None,
            code=typed[:_LONGEST_CODE] if isinstance(typed, str) else "",
        )

    def asks(self, prompt: SignInPrompt, refusal: str) -> types.InputRequiredResult | None:
        """Return what the client is to ask its person next, None where only text is left.

        `refusal` says what was wrong with the code that this call brought.
        """
        if not self.shows_forms or self.declined:
            return None
        if self.opens_urls and not (self.was_at_page or self.answered or prompt.code_waits):
            return _asking(_PAGE, _page(prompt))
        if self.answered and not prompt.code_expected:
            return None
        return _asking(_CODE, _form(prompt, refusal))


def _asking(name: str, params: types.ElicitRequestParams) -> types.InputRequiredResult:
    return types.InputRequiredResult(input_requests={name: types.ElicitRequest(params=params)})


def _page(prompt: SignInPrompt) -> types.ElicitRequestURLParams:
    then = ", then type the code that the page shows" if prompt.code_expected else ""
    return types.ElicitRequestURLParams(
        message=f"Sign in to {prompt.upstream_title}{then}.", url=prompt.short_auth_url
    )


def _form(prompt: SignInPrompt, refusal: str) -> types.ElicitRequestFormParams:
    address = f"Sign in to {prompt.upstream_title} at {prompt.short_auth_url}"
    if not prompt.code_expected:
        return types.ElicitRequestFormParams(
            message=f"{address} and go on once the page says that you are signed in.",
            requested_schema={"type": "object", "properties": {}},
        )
    message = f"{address} and type the code that the page shows, such as K7QF-2M9X."
    return types.ElicitRequestFormParams(
        message=f"{refusal} {message}".strip(),
        requested_schema={
            "type": "object",
            "properties": {
                _MEMBER: {
                    "type": "string",
                    "title": "Confirmation code",
                    "description": "The code that the sign-in page shows.",
                    "maxLength": _LONGEST_CODE,
                }
            },
            "required": [_MEMBER],
        },
    )
