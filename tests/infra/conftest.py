"""Plans of infra/, each made once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.terraform import Plan, Terraform, copied, running_stand_in, stand_in


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    """Terraform with a stand-in for Google's provider."""
    with running_stand_in(stand_in(), tmp_path_factory.mktemp("provider")) as terraform:
        yield terraform


@pytest.fixture(scope="session")
def infra(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of infra/ to plan in."""
    return copied(tmp_path_factory.mktemp("plan"))


@pytest.fixture(scope="session")
def plan(terraform: Terraform, infra: Path) -> Plan:
    """What is made of the three variables without a default."""
    return terraform.plan(infra)


@pytest.fixture(scope="session")
def domain_plan(terraform: Terraform, infra: Path) -> Plan:
    """What is made for one domain, with every upstream."""
    return terraform.plan(
        infra,
        domain="rally-mcp.example.com",
        upstreams=["rally", "github", "entra_id", "yata"],
        settings={
            "GITHUB_CLIENT_ID": "Iv1.0",
            "ENTRA_TENANT_ID": "72f988bf-86f1-41af-91ab-2d7cd011db47",
            "ENTRA_CLIENT_ID": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "YATA_URL": "https://todos.example.com",
            "YATA_CLIENT_ID": "todo-client",
        },
    )
