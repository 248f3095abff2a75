"""The pages that a browser sees at the simulator: consent, and what this is."""

from collections.abc import Iterable, Mapping
from html import escape

from devtools.simulation import pages
from devtools.simulation.oauth import RegisteredClient


def consent_page(parameters: Mapping[str, str], users: Iterable[str]) -> str:
    """Write the form that asks who signs in, and whether the app may act for them."""
    form = pages.consent_form(
        "/login/oauth/authorize", parameters, users, allow="Authorize", deny="Cancel"
    )
    return pages.page(
        "Authorize application",
        f"<p>The application <b>{escape(parameters['client_id'])}</b> asks for access to GitHub: "
        f"<code>{escape(parameters['scope'] or 'public data only')}</code></p>{form}",
    )


def root_page(users: Iterable[str], clients: Iterable[RegisteredClient]) -> str:
    """Write what this is, who can sign in and which apps are registered."""
    people = pages.section("Users", map(escape, users))
    registered = pages.section("Registered apps", pages.client_items(clients))
    return pages.root_page(
        "GitHub", "a GitHub Enterprise's OAuth and issues do", people + registered
    )
