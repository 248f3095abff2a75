"""YATA as an upstream: a todo backend where the deployment itself is the client."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from rally_mcp.identity_providers.declaration import ServiceAccount, TokenWire, Upstream
from rally_mcp.setting_types import BaseUrl, Secret, is_loopback
from rally_mcp.settings import Function, Settings, UpstreamSettings


class YataSettings(UpstreamSettings):
    """Where the backend is, and this deployment's OAuth client there."""

    PREFIX: ClassVar[str] = "YATA_"
    NEEDED: ClassVar[Mapping[Function, tuple[str, ...]]] = {
        Function.MCP_ENDPOINT: ("url", "client_id", "client_secret")
    }

    url: BaseUrl = Field("", description="Base of the todo backend, without a trailing slash.")
    token_url: BaseUrl = Field(
        "", description="Its token endpoint, where it is not `YATA_URL/oauth/token`."
    )
    api_url: BaseUrl = Field("", description="Base of its API, where it is not `YATA_URL/api/v1`.")
    client_id: str = Field("", description="Client id of the OAuth client registered there.")
    client_secret: Secret = Field(
        None,
        description="A reference to its client secret, as with `RALLY_CLIENT_SECRET`.",
    )
    scope: str = Field(
        "todos:read todos:write", min_length=1, description="OAuth scopes asked of YATA."
    )
    callers: Literal["signed_in", "anyone"] = Field(
        "signed_in",
        description="`signed_in`: people signed in to another upstream, and machine clients. "
        "`anyone`: whoever reaches the endpoint, because all share one account.",
    )

    @property
    def api(self) -> str:
        """The base of the todo API."""
        return self.api_url or f"{self.url}/api/v1"


def yata(settings: Settings, own: YataSettings) -> ServiceAccount:
    """Declare the backend at `YATA_URL` with the client registered there."""
    # Where nobody can sign in, being on this machine is what a caller can show.
    is_local = settings.upstreams == ("yata",) and is_loopback(settings.mcp_url)
    return ServiceAccount(
        name="yata",
        title="YATA",
        token_endpoint=own.token_url or f"{own.url}/oauth/token",
        client_id=own.client_id,
        client_secret=own.client_secret,
        scope=own.scope,
        token_wire=TokenWire(authentication="client_secret_basic", may_want_json=True),
        for_anyone=own.callers == "anyone" or is_local,
    )


YATA = Upstream(
    name="yata",
    settings=YataSettings,
    permissions={
        "yata:read": "Read the shared todos in YATA",
        "yata:write": "Create, change and delete shared todos in YATA",
    },
    declare=yata,
)
