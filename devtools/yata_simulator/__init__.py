"""A YATA for development and tests: client credentials and the todo API as one ASGI application."""

from devtools.yata_simulator.app import create_app
from devtools.yata_simulator.clients import RegisteredClient
from devtools.yata_simulator.faults import Fault
from devtools.yata_simulator.simulator import YataSimulator

__all__ = ["Fault", "RegisteredClient", "YataSimulator", "create_app"]
