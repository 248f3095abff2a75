"""The manifest and the tests fit each other: nothing is required in vain or proved in vain."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.authorization_requirements import AUTHORIZATION, MACHINES
from tests.conformance.requirements import EVERYTHING, REQUIREMENTS, SIGN_IN

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Claim:
    """One id that a function's decorator names."""

    id: str
    function: str


def claims() -> list[Claim]:
    """Read every claim from the sources, whichever tests this run collects."""
    files = [path for path in TESTS.rglob("test_*.py") if "node_modules" not in path.parts]
    return [claim for path in files for claim in _claims_in(path)]


def _claims_in(path: Path) -> Iterator[Claim]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and _is_requirement(decorator.func):
                    for argument in decorator.args:
                        yield Claim(ast.literal_eval(argument), node.name)


def _is_requirement(function: ast.expr) -> bool:
    return isinstance(function, ast.Name) and function.id == "requirement"


def test_every_requirement_that_applies_has_a_test():
    claimed = {claim.id for claim in claims()}

    required = {each.id for each in REQUIREMENTS.values() if not each.not_applicable}
    assert required - claimed == set()


def test_every_id_that_a_test_names_is_a_requirement_that_applies():
    applicable = {each.id for each in REQUIREMENTS.values() if not each.not_applicable}

    assert [claim for claim in claims() if claim.id not in applicable] == []


def test_only_tests_claim_to_prove_a_requirement():
    assert [claim for claim in claims() if not claim.function.startswith("test_")] == []


@pytest.mark.parametrize(
    ("letter", "last", "part"),
    [("A", 21, SIGN_IN), ("B", 32, AUTHORIZATION), ("C", 15, MACHINES)],
    ids=["sign-in", "authorization", "machines"],
)
def test_each_part_has_its_requirements_in_order(letter, last, part):
    assert [f"{letter}{number}" for number in range(1, last + 1)] == [each.id for each in part]


def test_no_id_is_given_twice():
    assert len(REQUIREMENTS) == len(EVERYTHING)
