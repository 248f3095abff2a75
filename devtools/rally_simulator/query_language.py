"""The WSAPI query language: text to expression, as strictly binary as Rally's.

    query := '(' expr ')'
    expr  := query (AND|OR) query | FIELD OPERATOR VALUE

Spaces around the operator are mandatory; `((A) AND (B) AND (C))` is an error.
"""

import re
from dataclasses import dataclass
from typing import Final, NoReturn

from devtools.rally_simulator.errors import WsapiError

OPERATORS: Final = ("=", "!=", "<", "<=", ">", ">=", "contains", "!contains", "in")
BOOLEAN_OPERATORS: Final = ("AND", "OR")

_FIELD = re.compile(r"[A-Za-z]\w*(?:\.[A-Za-z]\w*)*\Z")
_WORD = re.compile(r'[^\s()"]+')
_BAREWORD = re.compile(r'[^\s()",]+')
_SPACES = re.compile(r"\s*")
_DATE_OFFSET = re.compile(r"\s*[+-]\s*\d+")
_ESCAPES = {"q": "'", "l": "<", "g": ">"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`path operator values`; only `in` has more than one value."""

    path: tuple[str, ...]
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Combination:
    """Two expressions joined by `AND` or `OR`."""

    operator: str
    left: "Expression"
    right: "Expression"


Expression = Comparison | Combination


def parse_query(query: str) -> Expression:
    """Parse a query. Raises WsapiError with the text that Rally would answer."""
    parser = _Parser(query)
    expression = parser.query()
    if parser.peek():
        parser.fail(")")
    return expression


class _Parser:
    def __init__(self, query: str) -> None:
        self._query = query
        self._position = 0

    def query(self) -> Expression:
        self._expect("(")
        expression = self._combination() if self.peek() == "(" else self._comparison()
        self._expect(")")
        return expression

    def peek(self) -> str:
        """Return the next parenthesis, quotation mark or word, or "" at the end."""
        spaces = _SPACES.match(self._query, self._position)
        self._position = spaces.end() if spaces else self._position
        word = _WORD.match(self._query, self._position)
        return word[0] if word else self._query[self._position : self._position + 1]

    def fail(self, expected: str) -> NoReturn:
        raise WsapiError(
            "Could not parse: Error parsing expression -- "
            f'expected "{expected}" but saw "{self.peek()}" instead.'
        )

    def _combination(self) -> Expression:
        left = self.query()
        operator = self.peek().upper()
        if operator not in BOOLEAN_OPERATORS:
            self.fail("AND")
        self._position += len(operator)
        return Combination(operator, left, self.query())

    def _comparison(self) -> Expression:
        field = self._word()
        if not _FIELD.match(field):
            self._position -= len(field)
            self.fail("field")
        operator = self.peek().lower()
        if operator not in OPERATORS:
            self.fail("operator")
        self._position += len(operator)
        if not self._query[self._position : self._position + 1].isspace():
            self.fail("space")
        values = self._list() if operator == "in" else (self._value(),)
        return Comparison(tuple(field.split(".")), operator, values)

    def _list(self) -> tuple[str, ...]:
        values = [self._item()]
        while self.peek().startswith(","):
            self._position += 1
            values.append(self._item())
        return tuple(values)

    def _item(self) -> str:
        return self._quoted() if self.peek() == '"' else self._matched(_BAREWORD)

    def _value(self) -> str:
        if self.peek() == '"':
            return self._quoted()
        word = self._word()
        offset = _DATE_OFFSET.match(self._query, self._position)
        if offset:
            self._position = offset.end()
            return word + offset[0]
        return word

    def _word(self) -> str:
        return self._matched(_WORD)

    def _matched(self, pattern: re.Pattern[str]) -> str:
        self.peek()
        match = pattern.match(self._query, self._position)
        if not match:
            self.fail("value")
        self._position = match.end()
        return match[0]

    def _quoted(self) -> str:
        characters: list[str] = []
        self._position += 1
        while (character := self._take()) != '"':
            if character == "\\":
                escaped = self._take()
                character = _ESCAPES.get(escaped, escaped)
            characters.append(character)
        return "".join(characters)

    def _take(self) -> str:
        character = self._query[self._position : self._position + 1]
        if not character:
            self.fail('"')
        self._position += 1
        return character

    def _expect(self, parenthesis: str) -> None:
        if self.peek() != parenthesis:
            self.fail(parenthesis)
        self._position += 1
