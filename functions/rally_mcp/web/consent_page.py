"""The consent page: which client asks, what for, and where its answer goes."""

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from rally_mcp.authorization_server import redirect_uris
from rally_mcp.authorization_server.authorization import AuthorizationRequest
from rally_mcp.identity_providers.declaration import IdentityProvider
from rally_mcp.web import browser


def consent_page(
    authorization: AuthorizationRequest,
    *,
    provider: IdentityProvider,
    permissions: Mapping[str, str],
    fields: Sequence[tuple[str, str]],
    form_action: Sequence[str],
) -> Response:
    """Ask whether a client may work as this person.

    `permissions` says what each scope allows, the form carries `fields`, and `form_action` names
    where it and the redirects after it may go.
    """
    headers = {
        # With no-referrer a browser sends `Origin: null` from the form, for everybody.
        "Referrer-Policy": "same-origin",
        "Content-Security-Policy": browser.content_security_policy(form_action),
    }
    return browser.page(
        "consent.html",
        200,
        headers,
        client=authorization.client,
        goes_to=redirect_uris.shown(authorization.redirect_uri),
        is_loopback=redirect_uris.is_loopback(authorization.redirect_uri),
        permissions=[permissions.get(scope, scope) for scope in authorization.scopes],
        upstream=provider.title,
        fields=fields,
    )
