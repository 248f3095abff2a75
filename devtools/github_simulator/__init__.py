"""A GitHub Enterprise for development and tests: OAuth and the REST API as one ASGI application."""

from devtools.github_simulator.app import create_app
from devtools.github_simulator.faults import Fault
from devtools.github_simulator.simulator import GitHubSimulator
from devtools.simulation.oauth import RegisteredClient

__all__ = ["Fault", "GitHubSimulator", "RegisteredClient", "create_app"]
