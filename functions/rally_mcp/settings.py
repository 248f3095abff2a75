"""Every environment variable the three functions read, with what it means and how to mend it.

`load` reads the environment once, at start. A function asks only for what it uses, so
auth_redirect starts without any client secret.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from rally_mcp.errors import ConfigurationError
from rally_mcp.secret_store import SecretReference


class Function(StrEnum):
    """The three deployed functions; the value is also the entry point and the log label."""

    MCP_ENDPOINT = "mcp_endpoint"
    AUTH_REDIRECT = "auth_redirect"
    OAUTH_CALLBACK = "oauth_callback"


_URL = re.compile(r"[!-~]+")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def _public_url(value: str) -> SplitResult:
    """Split a URL that other machines will be sent to. Raises ValueError with the remedy."""
    url = urlsplit(value)
    if url.scheme not in {"https", "http"} or not url.hostname or not _URL.fullmatch(value):
        raise ValueError("must be an absolute https URL, without spaces")
    if not _is_port(url):
        raise ValueError("must have a port from 1 to 65535, or none")
    if url.scheme == "http" and url.hostname not in _LOOPBACK:
        raise ValueError("must be https; plain http is accepted for 127.0.0.1 and localhost only")
    if url.username or url.password or url.query or url.fragment or "?" in value or "#" in value:
        raise ValueError("must have no user, query or fragment")
    return url


def _is_port(url: SplitResult) -> bool:
    try:
        return url.port != 0
    except ValueError:
        return False


def _mcp_url(value: str) -> str:
    if value and not _public_url(value).path.endswith("/mcp"):
        raise ValueError("must end in /mcp, as in https://mcp.example.com/mcp")
    return value


def _origin(value: str) -> str:
    if value and _public_url(value).path:
        raise ValueError(
            "must be an origin without path or trailing slash, as in https://a.example.com"
        )
    return value


def _callback_url(value: str) -> str:
    if value and not _public_url(value).path.endswith("/callback"):
        raise ValueError("must end in /callback and equal the redirect URI registered at Rally")
    return value


def _secret_reference(value: object) -> object:
    return SecretReference.parse(value) if isinstance(value, str) else value


def _comma_list(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


_Secret = Annotated[SecretReference | None, BeforeValidator(_secret_reference)]
_CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_list)]


class Settings(BaseSettings):
    """The environment of one function, checked. Field names are the variables in lower case."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    mcp_url: Annotated[str, BeforeValidator(_mcp_url)] = Field(
        "", description="Public URL of the MCP endpoint; ends in `/mcp`; it is the `resource`."
    )
    auth_url: Annotated[str, BeforeValidator(_origin)] = Field(
        "", description="Origin of auth_redirect; it is the issuer. No trailing slash."
    )
    callback_url: Annotated[str, BeforeValidator(_callback_url)] = Field(
        "", description="The redirect URI registered at Rally; ends in `/callback`."
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
    upstreams: _CommaList = Field(
        ("rally",), min_length=1, description="What people sign in to, as a comma list."
    )
    rally_url: Annotated[str, BeforeValidator(_origin)] = Field(
        "https://rally1.rallydev.com", description="Origin of Rally, without a trailing slash."
    )
    rally_client_id: str = Field(
        "", description="Client id of the OAuth client registered at Rally."
    )
    rally_scope: str = Field("alm", min_length=1, description="OAuth scope asked of Rally.")
    rally_token_header: Literal["ZSESSIONID", "Authorization"] = Field(
        "ZSESSIONID",
        description="Header that carries the Rally token: `ZSESSIONID` or `Authorization`.",
    )
    rally_client_secret: _Secret = Field(
        None,
        description="A reference to the Rally client secret: `projects/P/secrets/S/versions/V`, "
        "`env:NAME` or `file:PATH`. The secret itself is refused.",
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
    toolsets: _CommaList = Field(
        (), description="Toolsets to offer, as a comma list; all when empty."
    )
    read_only: bool = Field(False, description="`true` hides every tool that writes to Rally.")
    rally_projects: _CommaList = Field(
        (),
        description="Rally projects that may be touched, by name, as a comma list; all when empty.",
    )
    rally_subscriptions: _CommaList = Field(
        (),
        description="Rally subscriptions whose people may sign in, by name or id, as a comma "
        "list; all when empty.",
    )


REQUIRED: Mapping[Function, tuple[str, ...]] = {
    Function.MCP_ENDPOINT: ("mcp_url", "auth_url", "rally_client_id", "rally_client_secret"),
    Function.AUTH_REDIRECT: ("mcp_url", "auth_url", "callback_url", "rally_client_id"),
    Function.OAUTH_CALLBACK: (
        "auth_url",
        "callback_url",
        "rally_client_id",
        "rally_client_secret",
    ),
}
"""What each function cannot start without, beside its storage."""

KNOWN_UPSTREAMS = ("rally",)


def load(function: Function, environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings of one function.

    `environment` stands in for the process environment in tests. Raises ConfigurationError whose
    message is one line: each variable that is missing or wrong, and the remedy.
    """
    return _checked(function, REQUIRED[function], environment)


def load_for_storage(environment: Mapping[str, str] | None = None) -> Settings:
    """Read what an administrator's command needs: where state lives. Raises as `load` does."""
    return _checked("storage", (), environment)


def _checked(
    who: str, required: tuple[str, ...], environment: Mapping[str, str] | None
) -> Settings:
    try:
        # Passing the values hides the process environment: init arguments come first.
        settings = Settings() if environment is None else Settings(**_lower(environment))
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in item['loc'][:1]).upper()} {_remedy(item['msg'])}"
            for item in error.errors(include_input=False, include_context=False)
        ]
        raise ConfigurationError(f"{who}: {'; '.join(problems)}") from None
    missing = _missing(required, settings)
    if missing:
        raise ConfigurationError(f"{who}: {'; '.join(missing)}")
    return settings


def _lower(environment: Mapping[str, str]) -> dict[str, Any]:
    """Give every field a value from `environment` alone."""
    given = {name.lower(): value for name, value in environment.items() if value}
    return {name: given.get(name, field.default) for name, field in Settings.model_fields.items()}


def _missing(required: tuple[str, ...], settings: Settings) -> list[str]:
    names = list(required)
    names.append("sqlite_path" if settings.storage == "sqlite" else "google_cloud_project")
    problems = [
        f"{name.upper()} is missing; set it: {_described(name)}"
        for name in names
        if not getattr(settings, name)
    ]
    unknown = [name for name in settings.upstreams if name not in KNOWN_UPSTREAMS]
    if unknown:
        known = ", ".join(KNOWN_UPSTREAMS)
        problems.append(f"UPSTREAMS names {', '.join(unknown)}; known upstreams: {known}")
    return problems


def _described(name: str) -> str:
    return (Settings.model_fields[name].description or "").rstrip(".")


def _remedy(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Input should be", "must be")
