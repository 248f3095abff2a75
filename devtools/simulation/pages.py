"""The pages that a browser sees at a simulator: consent, errors, and what this is."""

from collections.abc import Iterable, Mapping
from html import escape

from devtools.simulation.oauth import ALLOW, RegisteredClient


def page(title: str, content: str) -> str:
    """Write a page; `content` is HTML."""
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f"</title></head><body><h1>{escape(title)}</h1>{content}</body></html>"
    )


def error_page(message: str) -> str:
    """Write a page that says what is wrong; nothing is redirected."""
    return page("Error", f"<p>{escape(message)}</p>")


def root_page(name: str, behaves: str, content: str) -> str:
    """Write what this is. `behaves` ends in a verb, as in "the todo backend YATA does"."""
    return page(
        f"{name} simulator",
        f"<p>This behaves as {behaves}, for development and tests. "
        f"It keeps nothing when it stops.</p>{content}"
        '<p><a href="/simulator/stats">Statistics</a></p>',
    )


def section(title: str, items: Iterable[str]) -> str:
    """Write a list under a heading; each item is HTML."""
    listed = "".join(f"<li>{item}</li>" for item in items)
    return f"<h2>{escape(title)}</h2><ul>{listed}</ul>"


def client_items(clients: Iterable[RegisteredClient]) -> Iterable[str]:
    """Write one item for each client: its id and redirect_uris."""
    for client in clients:
        yield f"{escape(client.client_id)}: {escape(', '.join(client.redirect_uris))}"


def consent_form(
    action: str, parameters: Mapping[str, str], users: Iterable[str], *, allow: str, deny: str
) -> str:
    """Write the form that asks who signs in and what they decide; the buttons say so.

    It posts the parameters that are not empty, with `user`, and `decision` as `allow` or `deny`.
    """
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in parameters.items()
        if value
    )
    options = "".join(f'<option value="{escape(user)}">{escape(user)}</option>' for user in users)
    return (
        f'<form method="post" action="{escape(action)}">{hidden}'
        f'<p><label>Sign in as <select name="user">{options}</select></label></p>'
        f'<p><button name="decision" value="{ALLOW}">{escape(allow)}</button> '
        f'<button name="decision" value="deny">{escape(deny)}</button></p></form>'
    )
