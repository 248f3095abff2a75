"""The bill of materials says what functions/requirements.txt says, in CycloneDX's terms."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from devtools.supply_chain import VALIDATOR, completed, main
from rally_mcp import __version__
from tests.supply_chain.deployed import pins
from tests.supply_chain.pinned_uv import pinned_uv, uv_with


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bill of materials that CycloneDX's own schema accepts."""
    path = tmp_path_factory.mktemp("build") / "sbom.cdx.json"

    assert main(["sbom", "--uv", str(uv_with(*VALIDATOR)), str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def bom(file: Path) -> Mapping[str, Any]:
    return json.loads(file.read_text())


def hashes(component: Mapping[str, Any]) -> set[str]:
    references = component["externalReferences"]
    return {each["content"] for reference in references for each in reference["hashes"]}


def test_it_is_a_cyclonedx_document_about_this_version(bom) -> None:
    subject = bom["metadata"]["component"]

    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.5")
    assert (subject["name"], subject["version"]) == ("rally-mcp", __version__)
    assert subject["licenses"] == [{"expression": "Apache-2.0"}]


def test_its_components_are_the_pinned_packages_and_no_other(bom) -> None:
    listed = [(each["name"], each["version"]) for each in bom["components"]]

    assert sorted(listed) == sorted((pin.name, pin.version) for pin in pins())


def test_every_component_has_the_hashes_that_are_pinned(bom) -> None:
    listed = {(each["name"], each["version"]): hashes(each) for each in bom["components"]}

    assert listed == {(pin.name, pin.version): pin.hashes for pin in pins()}


def test_every_component_has_a_package_url(bom) -> None:
    urls = {each["purl"] for each in bom["components"]}

    assert urls == {f"pkg:pypi/{pin.name}@{pin.version}" for pin in pins()}


def test_every_component_that_a_function_installs_has_a_licence(bom) -> None:
    licensed = {each["name"] for each in bom["components"] if "licenses" in each}

    assert not [pin.name for pin in pins() if pin.is_for_the_cloud and pin.name not in licensed]


def test_it_says_what_needs_what(bom) -> None:
    known = {each["bom-ref"] for each in (*bom["components"], bom["metadata"]["component"])}
    needed = {name for each in bom["dependencies"] for name in each.get("dependsOn", ())}

    assert {each["ref"] for each in bom["dependencies"]} == known
    assert needed < known


def test_the_same_packages_make_the_same_bytes(file, tmp_path) -> None:
    again = tmp_path / "sbom.cdx.json"

    assert main(["sbom", "--uv", str(pinned_uv()), str(again)]) == 0
    assert again.read_bytes() == file.read_bytes()


def test_another_package_makes_another_serial_number(bom) -> None:
    fewer = {**bom, "components": bom["components"][1:]}

    assert completed({**bom}) == bom
    assert completed(fewer)["serialNumber"] != bom["serialNumber"]


def test_a_project_that_cannot_be_exported_has_none(tmp_path, capsys) -> None:
    path = tmp_path / "build" / "sbom.cdx.json"

    assert main(["sbom", "--uv", str(pinned_uv()), str(path)], tmp_path) == 1
    assert capsys.readouterr().err
    assert not path.exists()
