"""The page that a browser sees at the simulator: what this is."""

from collections.abc import Iterable
from html import escape

from devtools.simulation import pages
from devtools.yata_simulator.clients import RegisteredClient

_ENDPOINTS = (
    "POST /oauth/token",
    "GET, POST /api/v1/todos/",
    "GET, PUT, DELETE /api/v1/todos/{id}",
    "POST, DELETE /simulator/faults",
)


def root_page(clients: Iterable[RegisteredClient]) -> str:
    """Write what this is, where it answers, and which clients it knows."""
    endpoints = (f"<code>{escape(endpoint)}</code>" for endpoint in _ENDPOINTS)
    registered = pages.section("Registered OAuth clients", map(_client, clients))
    return pages.root_page(
        "YATA", "the todo backend YATA does", pages.section("Endpoints", endpoints) + registered
    )


def _client(client: RegisteredClient) -> str:
    state = "" if client.is_active else " (inactive)"
    scopes = escape(" ".join(client.scopes))
    name = escape(client.client_name)
    return f"{name}: <code>{escape(client.client_id)}</code>, {scopes}{state}"
