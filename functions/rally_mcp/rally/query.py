"""Builds the text of Rally queries, so that no value can ever become part of the grammar.

    all_of(equals("Iteration.Name", "Sprint 1"), at_least("PlanEstimate", 3))
    ((Iteration.Name = "Sprint 1") AND (PlanEstimate >= "3"))

Rally's grammar is strictly binary: `(A) AND (B) AND (C)` is a parse error, and three terms
nest as `(((A) AND (B)) AND (C))`.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import reduce
from math import isfinite
from typing import Literal

from rally_mcp.errors import InvalidInput

Value = str | int | float | date
"""What a field is compared with; bool and datetime are among these."""

_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_UNSENDABLE = {"Cc", "Cs"}  # control characters and lone surrogates


@dataclass(frozen=True, slots=True)
class Comparison:
    """One field, one operator and one value; None is Rally's null.

    Raises InvalidInput for a field that is not a dotted name, and for a value that has control
    characters, is not a finite number or is a time without a zone.
    """

    field: str
    operator: Literal["=", "!=", "<", "<=", ">", ">=", "contains", "!contains"]
    value: Value | None

    def __post_init__(self) -> None:
        if not _FIELD.fullmatch(self.field):
            raise InvalidInput(
                "A query names a field that is not a Rally field name. "
                "Use names such as Name, Owner.UserName or c_CustomField."
            )
        _literal(self.value)

    @property
    def text(self) -> str:
        """The comparison in parentheses, as Rally reads it."""
        return f"({self.field} {self.operator} {_literal(self.value)})"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Combination:
    """Two or more expressions joined by one word."""

    word: Literal["AND", "OR"]
    terms: tuple["Expression", ...]

    @property
    def text(self) -> str:
        """The terms, nested to the left in pairs, in parentheses, as Rally reads them."""
        return reduce(
            lambda left, right: f"({left} {self.word} {right})", (term.text for term in self.terms)
        )

    def __str__(self) -> str:
        return self.text


Expression = Comparison | Combination
"""A whole query; `.text` and `str()` are what the `query` parameter takes."""


def equals(field: str, value: Value | None) -> Expression:
    """The field has this value. User names and the like compare case-sensitively."""
    return Comparison(field, "=", value)


def not_equals(field: str, value: Value | None) -> Expression:
    """The field has another value."""
    return Comparison(field, "!=", value)


def contains(field: str, text: str) -> Expression:
    """The field contains the text, in either case."""
    return Comparison(field, "contains", text)


def not_contains(field: str, text: str) -> Expression:
    """The field does not contain the text."""
    return Comparison(field, "!contains", text)


def at_least(field: str, value: Value) -> Expression:
    """The field is this value or more; ordered picklists compare by their order."""
    return Comparison(field, ">=", value)


def at_most(field: str, value: Value) -> Expression:
    """The field is this value or less; ordered picklists compare by their order."""
    return Comparison(field, "<=", value)


def more_than(field: str, value: Value) -> Expression:
    """The field is above this value."""
    return Comparison(field, ">", value)


def less_than(field: str, value: Value) -> Expression:
    """The field is below this value."""
    return Comparison(field, "<", value)


def one_of(field: str, values: Iterable[Value | None]) -> Expression:
    """The field has one of these values. Raises InvalidInput where there are none."""
    choices = [equals(field, value) for value in values]
    if not choices:
        raise InvalidInput(f"There is no value to look for in {field}. Give at least one.")
    return any_of(*choices)


def all_of(first: Expression, *others: Expression) -> Expression:
    """Every one of the expressions holds."""
    return Combination("AND", (first, *others)) if others else first


def any_of(first: Expression, *others: Expression) -> Expression:
    """At least one of the expressions holds."""
    return Combination("OR", (first, *others)) if others else first


def _literal(value: Value | None) -> str:
    """Every value is quoted, numbers too: Rally reads them the same, and one rule has no gap."""
    if value is None:
        return "null"
    text = _plain(value)
    if any(unicodedata.category(character) in _UNSENDABLE for character in text):
        raise InvalidInput("A query value has control characters. Leave them out.")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _plain(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not isfinite(value):
        raise InvalidInput("A query value is not a finite number. Give a number.")
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidInput("A query value is a time without a zone. Add one, such as Z.")
        utc = value.astimezone(UTC).replace(tzinfo=None)
        return f"{utc.isoformat(timespec='milliseconds')}Z"
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
