"""The documentation says what the code does, as far as a program can tell."""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from devtools import reference
from devtools.client_config import CLIENTS
from rally_mcp.audit import AuditEvent
from rally_mcp.authorization_server import client_records, login_attempts, replay_marks
from rally_mcp.identity_providers.registry import UPSTREAMS
from rally_mcp.settings import Settings
from rally_mcp.sign_in import grant_records, records
from rally_mcp.sign_in.records import OAuthState, PrincipalRecord
from tests.conformance.requirements import REQUIREMENTS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / ".github/SECURITY.md",
        *DOCS.rglob("*.md"),
    ]
)
SOURCES = sorted((ROOT / "functions").rglob("*.py"))
RECORDS = (records, grant_records, client_records, replay_marks, login_attempts)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors_of(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterator[str]:
    for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", text_of(page)):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            yield link


def storage_sections() -> dict[str, str]:
    """Return the text below each heading of the page that names something in backticks."""
    page = text_of(DOCS / "storage-schema.md")
    parts = re.split(r"^#+ .*`(\w+)`\n|^#+ .*\n", page, flags=re.MULTILINE)
    return {name: text for name, text in zip(parts[1::2], parts[2::2], strict=True) if name}


def logged_messages() -> Iterator[str]:
    """Return the constant message of every warning and error that the functions log."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(text_of(source))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            texts = [part.value for part in node.args if isinstance(part, ast.Constant)]
            match ast.unparse(node.func), texts:
                case ("logs.event", ["WARNING" | "ERROR", str(message), *_]):
                    yield message
                case ("logs.exception" | "log.warning" | "log.error", [str(message), *_]):
                    yield max(message.split("%s"), key=len)


def test_the_reference_pages_are_fresh() -> None:
    assert not reference.stale_pages(ROOT)


def test_a_stale_reference_page_fails_the_check_and_is_then_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "docs" / "settings.md"
    settings.parent.mkdir()
    settings.write_text("old")

    assert reference.main(["--check"], tmp_path) == 1
    assert settings.read_text() == "old"
    assert reference.main([], tmp_path) == 0
    assert reference.main(["--check"], tmp_path) == 0
    assert "settings.md is stale" in capsys.readouterr().err


def test_the_example_of_an_environment_has_every_variable_with_a_line_on_each() -> None:
    variables = [name.upper() for name in Settings.model_fields]
    for upstream in UPSTREAMS.values():
        variables += map(upstream.settings.variable, upstream.settings.model_fields)

    explained = re.findall(
        r"^\n# .+\.\n(?:# )?([A-Z_]+)=.*$", text_of(ROOT / ".env.example"), re.MULTILINE
    )

    assert explained == variables


def test_the_example_of_an_environment_holds_no_secret() -> None:
    example = text_of(ROOT / ".env.example")

    assert re.findall(r"SECRET=\S", example) == []


def test_the_storage_page_names_every_collection_and_no_other() -> None:
    collections = {
        value
        for module in RECORDS
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str)
    }
    named = re.findall(
        r"^## Collection `(\w+)`$", text_of(DOCS / "storage-schema.md"), re.MULTILINE
    )

    assert sorted(collections) == sorted(named)


def test_the_storage_page_names_every_field_of_every_record_and_no_other() -> None:
    stored = {
        name: sorted(model.model_fields)
        for module in RECORDS
        for name, model in vars(module).items()
        if isinstance(model, type)
        and issubclass(model, BaseModel)
        and model.__module__ == module.__name__
        and not name.startswith("_")
    }
    tables = {
        name: sorted(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
        for name, section in storage_sections().items()
        if name[0].isupper()
    }

    assert stored == tables


def test_the_examples_on_the_storage_page_are_records() -> None:
    page = text_of(DOCS / "storage-schema.md")
    examples = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    states = [example for example in examples if "sealed" in example]
    principals = [example for example in examples if "public_key" in example]

    assert states
    assert principals
    assert len(states) + len(principals) == len(examples)
    for state in states:
        assert set(OAuthState.model_validate(state).model_dump()) == set(state)
    for principal in principals:
        assert set(PrincipalRecord.model_validate(principal).model_dump()) == set(principal)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert list(broken_links(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_command_is_a_target(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    commands = set(re.findall(r"(?:^|`)make ([a-z]+)", text_of(page), re.MULTILINE))

    assert commands - targets == set()


def test_the_readme_names_every_client_that_can_be_configured() -> None:
    named = re.findall(r"rally-mcp config ([a-z-]+)", text_of(ROOT / "README.md"))

    assert sorted(CLIENTS) == sorted(set(named))


def test_operations_explains_every_warning_and_error_that_is_logged() -> None:
    page = " ".join(text_of(DOCS / "operations.md").split())
    messages = sorted(set(logged_messages()))

    assert messages
    assert [message for message in messages if message.strip(" :") not in page] == []


def test_operations_explains_every_audit_event() -> None:
    page = text_of(DOCS / "operations.md")

    assert [event.value for event in AuditEvent if f"`{event}`" not in page] == []


def test_security_names_every_requirement_and_no_other() -> None:
    named = set(re.findall(r"\b[ABC]\d+\b", text_of(DOCS / "security.md")))

    assert sorted(REQUIREMENTS) == sorted(named)


def test_architecture_shows_the_layers_that_are_enforced() -> None:
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    (picture,) = re.findall(r"```text\n(.*?)```", text_of(DOCS / "architecture.md"), re.DOTALL)
    shown = [re.split(r"\s{2,}", line)[0] for line in picture.splitlines()]

    assert layers == shown
