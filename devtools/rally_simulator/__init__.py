"""A Rally for development and tests: OAuth and WSAPI v2.0 as one ASGI application on one port."""

from devtools.rally_simulator.app import create_app
from devtools.rally_simulator.faults import Fault
from devtools.rally_simulator.simulator import RallySimulator
from devtools.simulation.oauth import RegisteredClient

__all__ = ["Fault", "RallySimulator", "RegisteredClient", "create_app"]
