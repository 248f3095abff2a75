"""Reading the environment: once, at start, and every mistake in it told in one line.

A function asks only for what it uses, so auth_redirect starts without any client secret.
"""

import os
from collections.abc import Iterator, Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from rally_mcp.errors import ConfigurationError
from rally_mcp.identity_providers.registry import UPSTREAMS
from rally_mcp.settings import REQUIRED, Function, Settings

SettingsT = TypeVar("SettingsT", bound=BaseModel)


def load(function: Function, environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings of one function.

    `environment` stands in for the process environment in tests. Raises ConfigurationError whose
    message is one line: each variable that is missing or wrong, and the remedy.
    """
    return _checked(function, environment)


def load_for_storage(environment: Mapping[str, str] | None = None) -> Settings:
    """Read what an administrator's command needs: where state lives. Raises as `load` does."""
    return _checked(None, environment)


def _checked(function: Function | None, given: Mapping[str, str] | None) -> Settings:
    environment = os.environ if given is None else given
    problems: list[str] = []
    settings = _read(Settings, "", environment, problems)
    if settings:
        required = REQUIRED[function] if function else ()
        problems += _missing(Settings, "", settings, (*required, _storage_setting(settings)))
        problems += _unknown_upstreams(settings)
        if function:
            problems += _read_upstreams(function, settings, environment)
    if settings is None or problems:
        raise ConfigurationError(f"{function or 'storage'}: {'; '.join(problems)}")
    return settings


def _read(
    kind: type[SettingsT], prefix: str, environment: Mapping[str, str], problems: list[str]
) -> SettingsT | None:
    """Return the settings, or None and say what is wrong. An empty variable counts as absent."""
    given = {name: environment.get(f"{prefix}{name.upper()}") for name in kind.model_fields}
    try:
        return kind.model_validate({name: value for name, value in given.items() if value})
    except ValidationError as error:
        problems += [
            f"{prefix}{str(item['loc'][0]).upper()} {_remedy(item['msg'])}"
            for item in error.errors(include_input=False, include_context=False)
        ]
        return None


def _read_upstreams(
    function: Function, settings: Settings, environment: Mapping[str, str]
) -> list[str]:
    problems: list[str] = []
    for name in settings.upstreams:
        if name in UPSTREAMS:
            kind = UPSTREAMS[name].settings
            upstream = _read(kind, kind.PREFIX, environment, problems)
            if upstream:
                needed = kind.NEEDED.get(function, ())
                problems += _missing(kind, kind.PREFIX, upstream, needed)
                settings.with_upstream(upstream)
    return problems


def _storage_setting(settings: Settings) -> str:
    return "sqlite_path" if settings.storage == "sqlite" else "google_cloud_project"


def _missing(
    kind: type[BaseModel], prefix: str, settings: BaseModel, names: tuple[str, ...]
) -> Iterator[str]:
    for name in names:
        if not getattr(settings, name):
            meaning = (kind.model_fields[name].description or "").rstrip(".")
            yield f"{prefix}{name.upper()} is missing; set it: {meaning}"


def _unknown_upstreams(settings: Settings) -> Iterator[str]:
    unknown = [name for name in settings.upstreams if name not in UPSTREAMS]
    if unknown:
        yield f"UPSTREAMS names {', '.join(unknown)}; known upstreams: {', '.join(UPSTREAMS)}"


def _remedy(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Input should be", "must be")
