"""As much of the Logging query language as the files in infra/metrics use, on log entries as dicts.

    query      = clause {"AND" clause}
    clause     = term {"OR" term}                    OR binds closer than AND, unlike in Python
    term       = ["NOT"] (comparison | "(" query ")")
    comparison = field operator value
    operator   = "=" | "=~" | ">=" | ">" | "<=" | "<" | ":"
    value      = text | number | "*" | "(" value {"OR" value} ")"      "*" after ":" alone

A comparison with a field that an entry lacks is false, so its NOT is true. Equality ignores case,
a regular expression does not. Whatever is not in this list is refused, although Google knows it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Entry = Mapping[str, Any]
"""A LogEntry in its API form."""

Query = Callable[[Entry], bool]

SEVERITIES = (
    "DEFAULT",
    "DEBUG",
    "INFO",
    "NOTICE",
    "WARNING",
    "ERROR",
    "CRITICAL",
    "ALERT",
    "EMERGENCY",
)

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*") | (?P<operator>=~|>=|<=|!=|!~|[=<>:])"""
    r""" | (?P<mark>[()*]) | (?P<word>[\w.%/-]+))""",
    re.VERBOSE,
)
_OPERATORS = ("=", "=~", ">=", ">", "<=", "<", ":")


def parse(query: str) -> Query:
    """Return what tells whether an entry matches. Raises ValueError outside of the subset."""
    parser = _Parser(_tokens(query))
    matches = parser.query()
    if parser.rest:
        raise ValueError(f"Nothing may follow here: {' '.join(parser.rest)}")
    return matches


def _tokens(query: str) -> list[str]:
    tokens, position = [], 0
    while query[position:].strip():
        found = _TOKEN.match(query, position)
        if found is None:
            raise ValueError(f"Not understood: {query[position:]}")
        tokens.append(found[0].strip())
        position = found.end()
    return tokens


@dataclass
class _Parser:
    rest: list[str]

    def query(self) -> Query:
        clauses = self._joined("AND", self._clause)
        return lambda entry: all(clause(entry) for clause in clauses)

    def _clause(self) -> Query:
        terms = self._joined("OR", self._term)
        return lambda entry: any(term(entry) for term in terms)

    def _joined(self, by: str, part: Callable[[], Query]) -> Sequence[Query]:
        parts = [part()]
        while self._takes(by):
            parts.append(part())
        return parts

    def _term(self) -> Query:
        if self._takes("NOT"):
            negated = self._term()
            return lambda entry: not negated(entry)
        if self._takes("("):
            inner = self.query()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Query:
        field, operator = self._next().split("."), self._next()
        if operator not in _OPERATORS:
            raise ValueError(f"{operator} is no operator of this subset")
        values = self._values()
        return lambda entry: any(_compared(entry, field, operator, value) for value in values)

    def _values(self) -> Sequence[str]:
        if not self._takes("("):
            return [self._next()]
        values = [self._next()]
        while self._takes("OR"):
            values.append(self._next())
        self._expect(")")
        return values

    def _next(self) -> str:
        if not self.rest:
            raise ValueError("The query ends early")
        return self.rest.pop(0)

    def _takes(self, token: str) -> bool:
        if self.rest[:1] != [token]:
            return False
        self.rest.pop(0)
        return True

    def _expect(self, token: str) -> None:
        if not self._takes(token):
            raise ValueError(f"{token} is missing before: {' '.join(self.rest)}")


def _compared(entry: Entry, field: Sequence[str], operator: str, token: str) -> bool:
    actual = _at(entry, field)
    if operator == ":":
        if token != "*":
            raise ValueError(": is understood before * alone")
        return actual is not None
    value = re.sub(r"\\(.)", r"\1", token[1:-1]) if token.startswith('"') else token
    if actual is None:
        return False
    if operator == "=~":
        return re.search(value, str(actual)) is not None
    if operator == "=":
        return str(actual).casefold() == value.casefold()
    return _ordered(_rank(field, actual), operator, _rank(field, value))


def _at(entry: Entry, field: Sequence[str]) -> Any:
    found: Any = entry
    for name in field:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _rank(field: Sequence[str], value: Any) -> float:
    return SEVERITIES.index(value) if list(field) == ["severity"] else float(value)


def _ordered(left: float, operator: str, right: float) -> bool:
    return {
        ">=": left >= right,
        ">": left > right,
        "<=": left <= right,
        "<": left < right,
    }[operator]
