"""The environment variables that the functions read, with what each means.

`Settings` has what concerns the deployment as a whole. Each upstream brings an `UpstreamSettings`
of its own, in the file that declares it. `bootstrap.configuration` reads both, once, at start.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from rally_mcp.setting_types import CallbackUrl, CommaList, McpUrl, Origin


class Function(StrEnum):
    """The three deployed functions; the value is also the entry point and the log label."""

    MCP_ENDPOINT = "mcp_endpoint"
    AUTH_REDIRECT = "auth_redirect"
    OAUTH_CALLBACK = "oauth_callback"


class UpstreamSettings(BaseModel):
    """The variables of one upstream, all named PREFIX and the field in capitals."""

    # A ValidationError is told to people, and must not quote what may be a secret.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    PREFIX: ClassVar[str]
    NEEDED: ClassVar[Mapping[Function, tuple[str, ...]]]
    """The fields that each function cannot start without where the upstream is chosen."""

    @classmethod
    def variable(cls, field: str) -> str:
        """Return the environment variable of a field."""
        return f"{cls.PREFIX}{field.upper()}"


UpstreamSettingsT = TypeVar("UpstreamSettingsT", bound=UpstreamSettings)


class Settings(BaseModel):
    """The environment of one function, checked. Field names are the variables in lower case."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    mcp_url: McpUrl = Field(
        "", description="Public URL of the MCP endpoint; ends in `/mcp`; it is the `resource`."
    )
    auth_url: Origin = Field(
        "", description="Origin of auth_redirect; it is the issuer. No trailing slash."
    )
    callback_url: CallbackUrl = Field(
        "", description="The redirect URI registered at the upstreams; ends in `/callback`."
    )
    server_name: str = Field(
        "Rally MCP",
        min_length=1,
        max_length=64,
        description="What MCP clients show this deployment as.",
    )
    storage: Literal["firestore", "sqlite"] = Field(
        "firestore", description="Where state lives: `firestore` or, on one machine, `sqlite`."
    )
    firestore_database: str = Field(
        "(default)", min_length=1, description="The Firestore database."
    )
    google_cloud_project: str = Field(
        "", description="The Google Cloud project; needed with `STORAGE=firestore`."
    )
    sqlite_path: str = Field("", description="The database file; needed with `STORAGE=sqlite`.")
    upstreams: CommaList = Field(
        ("rally",),
        min_length=1,
        description="The systems behind this deployment, as a comma list. Sign-in by the MCP "
        "specification goes through the first that people sign in to.",
    )
    sign_in_confirmation: Literal["code", "none"] = Field(
        "code",
        description="`code`: the person carries a code from browser to chat. `none`: no code, "
        "open to sign-in phishing.",
    )
    rate_limits: Literal["on", "off"] = Field("on", description="`on` or `off`.")
    trusted_proxy_hops: int = Field(
        0,
        ge=0,
        le=10,
        description="How many of the last `X-Forwarded-For` entries are ours: 0 locally, "
        "1 on run.app, 2 behind the load balancer.",
    )
    toolsets: CommaList = Field(
        (), description="Toolsets to offer, as a comma list; all when empty."
    )
    read_only: bool = Field(
        False, description="`true` hides every tool that writes to an upstream."
    )

    _upstream_settings: dict[type[UpstreamSettings], UpstreamSettings] = PrivateAttr(
        default_factory=dict
    )

    def with_upstream(self, settings: UpstreamSettings) -> "Settings":
        """Add the settings of a chosen upstream."""
        self._upstream_settings[type(settings)] = settings
        return self

    def of(self, kind: type[UpstreamSettingsT]) -> UpstreamSettingsT:
        """Return the settings of a chosen upstream. Raises KeyError for another."""
        return cast("UpstreamSettingsT", self._upstream_settings[kind])


REQUIRED: Mapping[Function, tuple[str, ...]] = {
    Function.MCP_ENDPOINT: ("mcp_url", "auth_url"),
    Function.AUTH_REDIRECT: ("mcp_url", "auth_url", "callback_url"),
    Function.OAUTH_CALLBACK: ("auth_url", "callback_url"),
}
"""What each function cannot start without, beside its storage and its upstreams' settings."""
