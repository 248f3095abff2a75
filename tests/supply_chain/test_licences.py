"""What is deployed may be used and passed on with this product."""

import re

import pytest

from devtools.supply_chain import licence
from tests.supply_chain.deployed import pins

PERMISSIVE = {
    "Apache-2.0",
    "BSD License",  # which of the two is not said; both ask for the notice alone
    "BSD-2-Clause",
    "BSD-3-Clause",
    "MIT",
    "MIT-0",
    "PSF-2.0",
}
FILE_BY_FILE = {"certifi": "MPL-2.0"}
"""Asks only that changes to its own files be published, and nothing here changes them."""

INSTALLED = sorted({pin.name for pin in pins() if pin.is_for_the_cloud})


def is_permissive(expression: str) -> bool:
    """Tell whether one of the licences that may be chosen is permissive in all its parts."""
    choices = re.split(r"\s+OR\s+", expression.strip("()"))
    return any(set(re.split(r"\s+AND\s+", choice)) <= PERMISSIVE for choice in choices)


@pytest.mark.parametrize("package", INSTALLED)
def test_every_deployed_package_has_a_licence_that_is_allowed(package) -> None:
    stated = licence(package)

    assert is_permissive(stated) or FILE_BY_FILE.get(package) == stated


def test_an_exception_ends_with_its_package() -> None:
    assert not [name for name, stated in FILE_BY_FILE.items() if licence(name) != stated]


@pytest.mark.parametrize("stated", ["", "GPL-3.0-only", "MIT AND LGPL-2.1-only", "Proprietary"])
def test_other_licences_are_not_allowed(stated) -> None:
    assert not is_permissive(stated)


def test_one_permissive_licence_of_several_is_enough() -> None:
    assert is_permissive("GPL-2.0-only OR MIT AND Apache-2.0")
