"""Every upstream there is; `UPSTREAMS` in the environment chooses among them."""

from collections.abc import Iterable, Mapping
from typing import Any

from rally_mcp.identity_providers.declaration import Upstream
from rally_mcp.identity_providers.entra_id import ENTRA_ID
from rally_mcp.identity_providers.github import GITHUB
from rally_mcp.identity_providers.rally import RALLY
from rally_mcp.identity_providers.yata import YATA

UPSTREAMS: Mapping[str, Upstream[Any]] = {
    upstream.name: upstream for upstream in (RALLY, GITHUB, ENTRA_ID, YATA)
}


def permissions_of(names: Iterable[str]) -> Mapping[str, str]:
    """Return the scopes of these upstreams, and what each allows, for people to read."""
    return {
        scope: meaning for name in names for scope, meaning in UPSTREAMS[name].permissions.items()
    }


PERMISSIONS = permissions_of(UPSTREAMS)
"""Every scope there is, and what it allows, for people to read."""
