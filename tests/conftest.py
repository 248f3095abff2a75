"""What the tests share: a clock, a simulated Rally, and deployments of the three functions."""

from tests.firestore_emulator import firestore_emulator, firestore_emulator_host
from tests.fixtures.deployment import (
    clock,
    deploy,
    deployment,
    rally,
)

__all__ = [
    "clock",
    "deploy",
    "deployment",
    "firestore_emulator",
    "firestore_emulator_host",
    "rally",
]
