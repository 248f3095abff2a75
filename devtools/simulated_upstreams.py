"""The simulated upstreams of `rally-mcp dev`: which process stands in for whom, and where."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from devtools.entra_simulator.directory import TENANT
from rally_mcp.identity_providers.registry import UPSTREAMS

CLIENT_ID = "rally-mcp-dev"
SECRET_VARIABLE = "RALLY_MCP_DEV_CLIENT_SECRET"  # noqa: S105 the name of a variable
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class SimulatedUpstream:
    """One upstream and its simulator. `offset` counts its port from the first one."""

    name: str
    module: str
    offset: int
    people: str = ""
    """Who can sign in, for people to read; empty where nobody does."""

    @property
    def prefix(self) -> str:
        """What its variables begin with."""
        prefix: str = UPSTREAMS[self.name].settings.PREFIX
        return prefix

    def url(self, first_port: int) -> str:
        """Return where it answers."""
        return f"http://{HOST}:{first_port + self.offset}"

    def command(self, first_port: int, client_secret: str, callback_url: str) -> tuple[str, ...]:
        """Return the command that runs it, with this deployment's client registered."""
        port = str(first_port + self.offset)
        redirect = ("--redirect-uri", callback_url) if self.people else ()
        client = ("--client-id", CLIENT_ID, "--client-secret", client_secret, *redirect)
        module = f"devtools.{self.module}"
        return (sys.executable, "-m", module, "--host", HOST, "--port", port, *client)

    def environment(self, first_port: int) -> Mapping[str, str]:
        """Return the settings that make the functions its client."""
        settings = {
            "URL": self.url(first_port),
            "CLIENT_ID": CLIENT_ID,
            "CLIENT_SECRET": f"env:{SECRET_VARIABLE}",
        }
        if self.name == "entra_id":
            settings["TENANT_ID"] = TENANT
        return {f"{self.prefix}{name}": value for name, value in settings.items()}


RALLY = SimulatedUpstream("rally", "rally_simulator", 10, "ann and bob")

SIMULATED = {
    each.name: each
    for each in (
        RALLY,
        SimulatedUpstream("github", "github_simulator", 11, "ann and bob"),
        SimulatedUpstream("entra_id", "entra_simulator", 12, "ann and bob"),
        SimulatedUpstream("yata", "yata_simulator", 13),
    )
}

HIGHEST_OFFSET = max(each.offset for each in SIMULATED.values())


def chosen(environment: Mapping[str, str]) -> Sequence[SimulatedUpstream]:
    """Return Rally, which is always there, and what UPSTREAMS names beside it."""
    names = dict.fromkeys(name.strip() for name in environment.get("UPSTREAMS", "").split(","))
    return [RALLY, *(SIMULATED[name] for name in names if name in SIMULATED and name != "rally")]
