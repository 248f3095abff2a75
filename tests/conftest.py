"""What the tests share: a clock, simulated upstreams, and deployments of the three functions."""

from tests.firestore_emulator import firestore_emulator, firestore_emulator_host
from tests.fixtures.deployment import (
    clock,
    deploy,
    deployment,
    rally,
)
from tests.fixtures.upstreams import deploy_with, entra_id, github, yata

__all__ = [
    "clock",
    "deploy",
    "deploy_with",
    "deployment",
    "entra_id",
    "firestore_emulator",
    "firestore_emulator_host",
    "github",
    "rally",
    "yata",
]
