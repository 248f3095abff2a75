"""Reads docker-compose.dev.yml as an engine does to which the environment says nothing."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tests.containers.dockerfile import PROJECT

COMPOSE = PROJECT / "docker-compose.dev.yml"
WITH_DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")


@dataclass(frozen=True, slots=True)
class Service:
    """One service and its members."""

    name: str
    members: Mapping[str, Any]

    @property
    def environment(self) -> Mapping[str, str]:
        """What is set for its process."""
        given = self.members.get("environment", {})
        return {name: WITH_DEFAULT.sub(r"\1", value) for name, value in given.items()}

    @property
    def command(self) -> Sequence[str]:
        """What it runs in place of the image's command."""
        return self.members.get("command", ())

    @property
    def port(self) -> str:
        """The port that it listens on."""
        if self.is_function:
            return self.environment["PORT"]
        return self.argument("--port") if self.is_simulator else self.command[-1].split(":")[-1]

    @property
    def is_function(self) -> bool:
        """Whether it is one of the three functions."""
        return "FUNCTION_TARGET" in self.environment

    @property
    def is_simulator(self) -> bool:
        """Whether it stands in for an upstream."""
        return "-m" in self.command

    def argument(self, option: str) -> str:
        """Return the value that its command gives to an option."""
        return self.command[self.command.index(option) + 1]


def services() -> Mapping[str, Service]:
    """Return the services by name."""
    found = yaml.safe_load(COMPOSE.read_text())["services"]
    return {name: Service(name, members) for name, members in found.items()}


def functions() -> list[Service]:
    """Return the three functions."""
    return [service for service in services().values() if service.is_function]


def simulators() -> list[Service]:
    """Return the simulated upstreams."""
    return [service for service in services().values() if service.is_simulator]
