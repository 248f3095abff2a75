"""Every upstream there is; `UPSTREAMS` in the environment chooses among them."""

from collections.abc import Mapping
from typing import Any

from rally_mcp.identity_providers.declaration import Upstream
from rally_mcp.identity_providers.entra_id import ENTRA_ID
from rally_mcp.identity_providers.github import GITHUB
from rally_mcp.identity_providers.rally import RALLY
from rally_mcp.identity_providers.yata import YATA

UPSTREAMS: Mapping[str, Upstream[Any]] = {
    upstream.name: upstream for upstream in (RALLY, GITHUB, ENTRA_ID, YATA)
}

PERMISSIONS: Mapping[str, str] = {
    scope: meaning
    for upstream in UPSTREAMS.values()
    for scope, meaning in upstream.permissions.items()
}
"""Every scope there is, and what it allows, for people to read."""
