"""What the tests share: a clock, simulated upstreams, and deployments of the three functions."""

import gc

import pytest

from tests.clients.dev_server import dev_data, dev_server
from tests.firestore_emulator import firestore_emulator, firestore_emulator_host
from tests.fixtures.administrator import commands
from tests.fixtures.deployment import (
    clock,
    deploy,
    deployment,
    rally,
)
from tests.fixtures.upstreams import deploy_with, entra_id, github, yata

__all__ = [
    "clock",
    "commands",
    "deploy",
    "deploy_with",
    "deployment",
    "dev_data",
    "dev_server",
    "entra_id",
    "firestore_emulator",
    "firestore_emulator_host",
    "github",
    "rally",
    "yata",
]

WAITING = {"clients", "e2e", "emulator", "infra", "google_cloud", "deployment"}
"""Folders of tests that wait for processes."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow files: where each goes to one worker, the others wait for the last."""
    items.sort(key=lambda item: WAITING.isdisjoint(item.nodeid.split("/")))


def pytest_collection_finish() -> None:
    """Keep the garbage collector from walking through all that was imported, time and again."""
    gc.collect()
    gc.freeze()
