"""The pages that a browser sees at the simulator: sign-in, errors, and what this is."""

from collections.abc import Iterable, Mapping
from html import escape

from devtools.entra_simulator.directory import User
from devtools.simulation import pages
from devtools.simulation.oauth import RegisteredClient


def consent_page(action: str, parameters: Mapping[str, str], users: Iterable[str]) -> str:
    """Write the form that asks who signs in, and whether the application may know who they are."""
    form = pages.consent_form(action, parameters, users, allow="Accept", deny="Cancel")
    scopes = escape(parameters["scope"])
    return pages.page(
        "Permissions requested",
        f"<p>The application <b>{escape(parameters['client_id'])}</b> asks for: {scopes}</p>{form}",
    )


def refusal_page(document: Mapping[str, object]) -> str:
    """Write a page that says what is wrong; nothing is redirected."""
    error, description = str(document["error"]), str(document["error_description"])
    return pages.page(
        "Sign in",
        "<p>Sorry, but there is trouble with signing you in.</p>"
        f"<p><code>{escape(error)}</code>: {escape(description)}</p>",
    )


def root_page(tenant: str, users: Mapping[str, User], clients: Iterable[RegisteredClient]) -> str:
    """Write what this is and how to sign in: the tenant, its users, and the applications."""
    people = (
        f"<b>{escape(key)}</b>: {escape(user.name)}, {escape(user.email)}"
        f"{', of another tenant' if user.tenant else ''}"
        for key, user in users.items()
    )
    discovery = f"/{escape(tenant)}/v2.0/.well-known/openid-configuration"
    return pages.root_page(
        "Entra",
        "one tenant of the Microsoft identity platform does",
        f"<p>Tenant <code>{escape(tenant)}</code>: "
        f'<a href="{discovery}">OpenID configuration</a></p>'
        + pages.section("Users", people)
        + pages.section("Registered applications", pages.client_items(clients)),
    )
