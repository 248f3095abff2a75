"""An audit fails on a known vulnerability, and never passes for want of anybody to ask."""

import pytest

from devtools.supply_chain import AUDITOR, main
from tests.supply_chain.deployed import pins
from tests.supply_chain.osv_api import advisory, osv_api
from tests.supply_chain.pinned_uv import uv_with

NOWHERE = "http://127.0.0.1:9/v1/query"
"""The discard port, where nothing listens."""


@pytest.fixture
def uv() -> str:
    return str(uv_with(*AUDITOR))


def version_of(package: str) -> str:
    (version,) = {pin.version for pin in pins() if pin.name == package}
    return version


def test_it_passes_where_every_package_was_asked_about_and_none_is_vulnerable(uv, capsys) -> None:
    with osv_api({}) as address:
        ended = main(["audit", "--uv", uv, "--required", "--osv-url", address])

    said = capsys.readouterr().out
    assert ended == 0, said
    assert "known vulnerabilities: 0 in" in said
    assert "NOT CHECKED" not in said


def test_it_fails_on_a_known_vulnerability_and_names_the_remedy(uv, capsys) -> None:
    version = version_of("cryptography")
    with osv_api({"cryptography": advisory("cryptography", version)}) as address:
        ended = main(["audit", "--uv", uv, "--osv-url", address])

    said = capsys.readouterr().out
    assert ended == 1
    assert f"cryptography {version}: PYSEC-2026-1, CVE-2026-0001" in said
    assert f"fixed in {version}.post1" in said


def test_a_vulnerability_that_was_judged_can_be_left_out_by_name(uv) -> None:
    known = advisory("cryptography", version_of("cryptography"))
    with osv_api({"cryptography": known}) as address:
        asked = ["audit", "--uv", uv, "--osv-url", address, "--ignore-vuln", "PYSEC-2026-1"]

        assert main(asked) == 0


def test_it_says_that_nothing_was_checked_where_no_service_answers(uv, capsys) -> None:
    ended = main(["audit", "--uv", uv, "--osv-url", NOWHERE])

    said = capsys.readouterr().out
    assert ended == 0
    assert said.startswith("NOT CHECKED: no vulnerability service can be reached")
    assert "known vulnerabilities" not in said


def test_it_fails_where_it_has_to_check_and_no_service_answers(uv, capsys) -> None:
    ended = main(["audit", "--uv", uv, "--required", "--osv-url", NOWHERE])

    assert ended == 1
    assert "NOT CHECKED" in capsys.readouterr().out
