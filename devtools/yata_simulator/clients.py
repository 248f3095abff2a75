"""The OAuth clients of YATA and the scopes that there are."""

import uuid
from dataclasses import dataclass, field

READ = "todos:read"
WRITE = "todos:write"

CLIENT_NAME = "rally-mcp"


def _new_id() -> str:
    return str(uuid.uuid4())


@dataclass(slots=True, eq=False)
class RegisteredClient:
    """An OAuth client as an administrator of YATA registers it; `scopes` are all it may ask for."""

    client_id: str
    client_secret: str
    client_name: str = CLIENT_NAME
    scopes: tuple[str, ...] = (READ, WRITE)
    is_active: bool = True
    id: str = field(default_factory=_new_id)
