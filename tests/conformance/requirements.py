"""The security requirements that tests are bound to, each in one sentence.

A.. are those of the sign-in with a Session-ID, B.. and C.. those of the authorization server.
A test names what it proves with `@requirement("A9")`, and test_manifest.py checks both ways: every
requirement that applies has a test, and every id that a test names is here.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from tests.conformance.authorization_requirements import AUTHORIZATION, MACHINES
from tests.conformance.requirement import Requirement

Test = TypeVar("Test", bound=Callable[..., Any])


SIGN_IN = (
    Requirement(
        "A1",
        "A Session-ID that could be guessed, comes twice or comes beside another credential is "
        "answered 400 in JSON, and no record is written.",
    ),
    Requirement(
        "A2",
        "A call without a credential is refused before anything is read: on /mcp with the "
        "challenge that makes a client sign in, on /tools with 400.",
    ),
    Requirement(
        "A3",
        "A tool that needs a sign-in answers with the link, in MCP as a tool error inside 200; "
        "listing tools needs none.",
    ),
    Requirement(
        "A4",
        "However many first calls a chat makes at once, all of them show one link.",
    ),
    Requirement(
        "A5",
        "Opening the link changes nothing, however often: nothing is written, no cookie is set, "
        "and HEAD is refused.",
    ),
    Requirement(
        "A6",
        "The page between link and upstream accepts its own form alone.",
        not_applicable="There is no such page: /auth redirects at once and writes nothing, and "
        "the confirmation code proves what the form would have proved.",
    ),
    Requirement(
        "A7",
        "No page can be framed, cached, indexed, or made to run or load anything.",
    ),
    Requirement(
        "A8",
        "A callback in another browser than the one that opened the link is refused.",
        not_applicable="No cookie binds the browser: the three functions may have three origins, "
        "and whoever finishes elsewhere still lacks a chat that takes the code.",
    ),
    Requirement(
        "A9",
        "Of any number of callbacks for one sign-in a single one exchanges the code; the others "
        "are answered 400.",
    ),
    Requirement(
        "A10",
        "A state that has expired is refused although its record is still stored.",
    ),
    Requirement(
        "A11",
        "A state that is altered, invented or used up is refused with one and the same body.",
    ),
    Requirement(
        "A12",
        "A person who declines is told so, the chat hears of it with a link that works, and what "
        "the upstream wrote is shown nowhere.",
    ),
    Requirement(
        "A13",
        "An upstream that fails during the exchange gives a 502 with a correlation id, none of "
        "its text, and a fresh link afterwards.",
    ),
    Requirement(
        "A14",
        "Tokens stay out of the chat's reach until the code that the browser showed is typed "
        "there; a try is counted before it is compared, and the fifth wrong one destroys what is "
        "parked and nothing else.",
    ),
    Requirement(
        "A15",
        "The code of one chat's sign-in does nothing in another chat.",
    ),
    Requirement(
        "A16",
        "No Session-ID, state, code_verifier, authorization code, confirmation code, upstream "
        "token or client secret stands in the store, in a log line or on a page that need not "
        "show it, and whoever has all of these opens nothing.",
    ),
    Requirement(
        "A17",
        "A sign-out is obeyed by the very next request on every instance, and a sign-in that is "
        "under way does not undo it.",
    ),
    Requirement(
        "A18",
        "A Session-ID in the URL is refused.",
    ),
    Requirement(
        "A19",
        "No request decides where a browser is sent, neither by a parameter nor by a header.",
    ),
    Requirement(
        "A20",
        "The link in a tool result has fewer than 100 characters and leads to the configured "
        "origin.",
    ),
    Requirement(
        "A21",
        "Whoever types the code is told which upstream user and which account it connects.",
    ),
)

EVERYTHING = (*SIGN_IN, *AUTHORIZATION, *MACHINES)

REQUIREMENTS = {requirement.id: requirement for requirement in EVERYTHING}


def requirement(*ids: str) -> Callable[[Test], Test]:
    """Mark a test as proof of these requirements. Raises KeyError for an id that is not one."""
    for each in ids:
        _ = REQUIREMENTS[each]
    return lambda test: test
