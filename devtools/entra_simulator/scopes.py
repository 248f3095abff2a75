"""The scopes that an application may ask for, and what each brings."""

from devtools.entra_simulator.errors import Refused, missing_parameter

OPENID = "openid"
PROFILE = "profile"
EMAIL = "email"
OFFLINE_ACCESS = "offline_access"

_KNOWN = frozenset({OPENID, PROFILE, EMAIL, OFFLINE_ACCESS, "User.Read"})
_GRAPH = "00000003-0000-0000-c000-000000000000"


def parse_scope(scope: str) -> tuple[str, ...]:
    """Return the scopes in the order in which they were asked for. Raises Refused."""
    scopes = tuple(dict.fromkeys(scope.split()))
    if not scopes:
        raise missing_parameter("scope")
    for asked in scopes:
        if asked not in _KNOWN:
            # It is invalid_client, not invalid_scope, that Entra says here.
            raise Refused(
                "invalid_client",
                650053,
                f"The application asked for scope '{asked}' that doesn't exist on the resource "
                f"'{_GRAPH}'. Contact the app vendor.",
            )
    return scopes


def narrowed(granted: tuple[str, ...], scope: str) -> tuple[str, ...]:
    """Return what a token request gets: what it asks for of the granted scopes, or all of them."""
    wanted = parse_scope(scope) if scope else granted
    for asked in wanted:
        if asked not in granted:
            raise Refused(
                "invalid_grant",
                65001,
                "The user or administrator has not consented to use the application. "
                "Send an interactive authorization request for this user and resource.",
                suberror="consent_required",
            )
    return wanted


def told(scopes: tuple[str, ...]) -> str:
    """Return the `scope` of a token answer, in which offline_access is never named."""
    return " ".join(scope for scope in scopes if scope != OFFLINE_ACCESS)
