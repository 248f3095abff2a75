"""What the cloud installs is fixed to the byte, wherever it is fetched from."""

import re
from itertools import combinations

from tests.supply_chain.deployed import pins, statements


def test_every_package_is_pinned_to_one_version() -> None:
    operators = {each.operator for pin in pins() for each in pin.requirement.specifier}
    loose = [pin.name for pin in pins() if len(pin.requirement.specifier) != 1]

    assert operators == {"=="}
    assert not loose
    assert not [pin.name for pin in pins() if "*" in pin.version]


def test_every_package_names_the_hashes_of_its_files_and_no_two_share_one() -> None:
    shared = [(a.name, b.name) for a, b in combinations(pins(), 2) if a.hashes & b.hashes]

    assert not [pin.name for pin in pins() if not pin.hashes]
    assert not shared


def test_no_package_comes_from_an_address_of_its_own() -> None:
    assert not [pin.name for pin in pins() if pin.requirement.url]


def test_nothing_says_which_package_index_is_used() -> None:
    text = "\n".join(statements())

    assert not re.findall(r"^-.*", text, re.MULTILINE)
    assert not re.findall(r"\w+://|\b[\w-]+\.(?:org|com|dev|io|net)\b", text)


def test_a_function_installs_each_package_once() -> None:
    names = [pin.name for pin in pins() if pin.is_for_the_cloud]

    assert len(set(names)) == len(names)
