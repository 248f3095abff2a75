"""The pages that a browser sees at the simulator: consent, errors, and what this is."""

from collections.abc import Iterable, Mapping
from html import escape

from devtools.rally_simulator.tokens import RegisteredClient


def consent_page(parameters: Mapping[str, str], users: Iterable[str]) -> str:
    """Write the form that asks who signs in, and whether the client may act for them."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in parameters.items()
        if value
    )
    options = "".join(f'<option value="{escape(user)}">{escape(user)}</option>' for user in users)
    return _page(
        "Authorization Request",
        f"<p>The application <b>{escape(parameters['client_id'])}</b> asks for access to Rally.</p>"
        f'<form method="post" action="/login/oauth2/auth">{hidden}'
        f'<p><label>Sign in as <select name="user">{options}</select></label></p>'
        '<p><button name="decision" value="allow">Allow Access</button> '
        '<button name="decision" value="deny">Deny</button></p></form>',
    )


def error_page(message: str) -> str:
    """Write a page that says what is wrong; nothing is redirected."""
    return _page("Error", f"<p>{escape(message)}</p>")


def root_page(api_keys: Mapping[str, str], clients: Iterable[RegisteredClient]) -> str:
    """Write what this is and how to sign in: users with their API keys, and clients."""
    users = "".join(
        f"<li>{escape(user)}: API key <code>{escape(key)}</code></li>"
        for key, user in api_keys.items()
    )
    registered = "".join(
        f"<li>{escape(client.client_id)}: {escape(', '.join(client.redirect_uris))}</li>"
        for client in clients
    )
    return _page(
        "Rally simulator",
        "<p>This behaves as Rally's OAuth and WSAPI v2.0 do, for development and tests. "
        "It keeps nothing when it stops.</p>"
        f"<h2>Users</h2><ul>{users}</ul><h2>Registered OAuth clients</h2><ul>{registered}</ul>"
        '<p><a href="/simulator/stats">Statistics</a></p>',
    )


def _page(title: str, content: str) -> str:
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f"</title></head><body><h1>{escape(title)}</h1>{content}</body></html>"
    )
