"""A Microsoft Entra ID for development and tests: one tenant of its v2.0 endpoints as ASGI."""

from devtools.entra_simulator.app import create_app
from devtools.entra_simulator.directory import DOMAIN, OTHER_TENANT, TENANT
from devtools.entra_simulator.faults import Fault
from devtools.entra_simulator.signing_keys import SigningKey
from devtools.entra_simulator.simulator import EntraSimulator
from devtools.simulation.oauth import RegisteredClient

__all__ = [
    "DOMAIN",
    "OTHER_TENANT",
    "TENANT",
    "EntraSimulator",
    "Fault",
    "RegisteredClient",
    "SigningKey",
    "create_app",
]
