"""A release says the same of itself everywhere."""

import re
import tomllib

import pytest

from rally_mcp import __version__
from tests.supply_chain.deployed import PROJECT

HEADING = re.compile(r"^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)


def text_of(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


@pytest.fixture
def declared() -> dict[str, object]:
    return tomllib.loads(text_of("pyproject.toml"))["project"]


def test_the_package_and_the_project_have_one_version(declared) -> None:
    assert declared["version"] == __version__


def test_the_newest_release_in_the_changelog_is_this_version() -> None:
    headings = HEADING.findall(text_of("CHANGELOG.md"))
    releases = [version for version, _ in headings if version != "Unreleased"]

    assert headings[0] == ("Unreleased", "")
    assert releases[:1] == [__version__]


def test_every_release_in_the_changelog_has_its_day_the_newest_first() -> None:
    headings = HEADING.findall(text_of("CHANGELOG.md"))
    days = [day for version, day in headings if version != "Unreleased"]

    assert len(headings) == len(re.findall(r"^## ", text_of("CHANGELOG.md"), re.MULTILINE))
    assert all(days)
    assert days == sorted(days, reverse=True)


def test_the_licence_file_is_the_licence_that_is_declared(declared) -> None:
    title = " ".join(text_of("LICENSE").split()[:4])

    assert (declared["license"], title) == ("Apache-2.0", "Apache License Version 2.0,")


def test_the_security_policy_leads_to_the_threats_and_supports_this_version() -> None:
    policy = text_of(".github/SECURITY.md")
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", policy)
    series = ".".join(__version__.split(".")[:2])

    assert "../docs/security.md" in links
    assert not [link for link in links if not (PROJECT / ".github" / link).exists()]
    assert re.search(rf"^\| {re.escape(series)}\b.*\| yes", policy, re.MULTILINE)
