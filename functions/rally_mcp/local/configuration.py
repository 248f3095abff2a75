"""The settings of `rally-mcp stdio`: what a deployment is told, and this machine's own values."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from rally_mcp.bootstrap import configuration
from rally_mcp.errors import ConfigurationError
from rally_mcp.setting_types import is_loopback
from rally_mcp.settings import Function, Settings

DEFAULT_CALLBACK_URL = "http://127.0.0.1:8765/callback"
"""The redirect URI to register at the upstreams, unless CALLBACK_URL names another."""

_DATABASE = "rally-mcp.db"


def load(environment: Mapping[str, str], folder: Path) -> Settings:
    """Read and check the settings; `folder` keeps the database where SQLITE_PATH names none.

    No confirmation code is asked for. It ties the person at the browser to the chat that asked;
    here this process opens the page itself, on its own machine, for the one person it works for,
    only this machine reaches the listener, `state` cannot be guessed, and PKCE ties the code to
    the process that asked. Raises ConfigurationError, one line, as a function's start does.
    """
    callback_url = environment.get("CALLBACK_URL") or DEFAULT_CALLBACK_URL
    origin = _loopback_origin(callback_url)
    local = {
        **environment,
        "CALLBACK_URL": callback_url,
        "AUTH_URL": origin,
        "MCP_URL": f"{origin}/mcp",
        "STORAGE": "sqlite",
        "SQLITE_PATH": str(_database(environment.get("SQLITE_PATH"), folder)),
        "SIGN_IN_CONFIRMATION": "none",
    }
    _checked(Function.OAUTH_CALLBACK, local)
    return _checked(Function.MCP_ENDPOINT, local)


def _database(given: str | None, folder: Path) -> Path:
    """Return one and the same path in every process, whatever folder it was started in."""
    return Path(given).expanduser().absolute() if given else folder / _DATABASE


def _checked(function: Function, environment: Mapping[str, str]) -> Settings:
    try:
        return configuration.load(function, environment)
    except ConfigurationError as error:
        # Whoever runs this has never heard of the functions.
        raise ConfigurationError(error.message.removeprefix(f"{function}: ")) from None


def _loopback_origin(callback_url: str) -> str:
    """Return scheme, host and port of a redirect URI that leads to this machine (RFC 8252 §7.3)."""
    try:
        url = urlsplit(callback_url)
        is_usable = url.scheme == "http" and is_loopback(callback_url) and bool(url.port)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ConfigurationError(
            "CALLBACK_URL must be http on 127.0.0.1 with a port, as in "
            f"{DEFAULT_CALLBACK_URL}: the browser comes back to this machine"
        )
    return f"http://{url.netloc}"
