"""The pages that a browser sees at the simulator: consent, and what this is."""

from collections.abc import Iterable, Mapping
from html import escape

from devtools.simulation import pages
from devtools.simulation.oauth import RegisteredClient


def consent_page(parameters: Mapping[str, str], users: Iterable[str]) -> str:
    """Write the form that asks who signs in, and whether the client may act for them."""
    form = pages.consent_form(
        "/login/oauth2/auth", parameters, users, allow="Allow Access", deny="Deny"
    )
    return pages.page(
        "Authorization Request",
        f"<p>The application <b>{escape(parameters['client_id'])}</b> asks for access to Rally.</p>"
        f"{form}",
    )


def root_page(api_keys: Mapping[str, str], clients: Iterable[RegisteredClient]) -> str:
    """Write what this is and how to sign in: users with their API keys, and clients."""
    users = (
        f"{escape(user)}: API key <code>{escape(key)}</code>" for key, user in api_keys.items()
    )
    registered = pages.section("Registered OAuth clients", pages.client_items(clients))
    return pages.root_page(
        "Rally", "Rally's OAuth and WSAPI v2.0 do", pages.section("Users", users) + registered
    )
