"""What a parsed query means: which objects it selects, and in which order they come."""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from devtools.rally_simulator.attributes import (
    NUMBERS,
    PICKLISTS,
    Attribute,
    Kind,
    RallyType,
    Value,
)
from devtools.rally_simulator.date_variables import parse_date, parse_timestamp
from devtools.rally_simulator.errors import WsapiError
from devtools.rally_simulator.objects import ObjectStore, RallyObject, object_id_of_ref
from devtools.rally_simulator.query_language import Combination, Comparison, Expression
from devtools.rally_simulator.type_catalog import concrete_types

_SIGNS = {"<": {-1}, "<=": {-1, 0}, ">": {1}, ">=": {0, 1}}
"""What the comparison of two places may come to for the operator to hold."""

_ALIASES = {"Rank": "DragAndDropRank"}
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class QueryContext:
    """Who asks, when, and of what."""

    store: ObjectStore
    user: RallyObject
    now: datetime
    queried_type: str
    types: tuple[RallyType, ...]


def check_paths(expression: Expression, context: QueryContext) -> None:
    """Raise WsapiError if a field does not exist on every type that is queried."""
    if isinstance(expression, Combination):
        check_paths(expression.left, context)
        check_paths(expression.right, context)
    else:
        _check_path(expression.path, context)


def matches(expression: Expression, candidate: RallyObject, context: QueryContext) -> bool:
    """Whether the query selects `candidate`."""
    if isinstance(expression, Comparison):
        return _compares(expression, candidate, context)
    left = matches(expression.left, candidate, context)
    if expression.operator == "AND":
        return left and matches(expression.right, candidate, context)
    return left or matches(expression.right, candidate, context)


def ordered(objects: Iterable[RallyObject], order: str, context: QueryContext) -> list[RallyObject]:
    """Sort by a comma list such as `Rank,LastUpdateDate DESC`; unset values come first."""
    result = list(objects)
    for term in reversed([term.split() for term in order.split(",") if term.strip()]):
        path = tuple(_ALIASES.get(term[0], term[0]).split("."))
        _check_path(path, context)

        result.sort(
            key=partial(_sort_place, path=path, store=context.store),
            reverse=term[-1].upper() == "DESC",
        )
    return result


def _sort_place(
    item: RallyObject, path: Sequence[str], store: ObjectStore
) -> tuple[bool, tuple[float, str]]:
    attribute, values = _resolve(item, path, store)
    if not values or values[0] is None:
        return False, (0, "")
    return True, _place(attribute, values[0])


def _check_path(path: Sequence[str], context: QueryContext) -> None:
    types = context.types
    for name in path:
        if not all(name in rally_type.attributes for rally_type in types):
            raise WsapiError(_unknown_attribute(name, path, types, context))
        target = types[0].attributes[name].target
        types = concrete_types(target) if target else ()


def _unknown_attribute(
    name: str, path: Sequence[str], types: Sequence[RallyType], context: QueryContext
) -> str:
    if context.queried_type == "Artifact" and name == path[0]:
        return (
            "Could not read: could not read all instances of class com.f4tech.slm.domain.Artifact"
        )
    type_name = types[0].name if types else "String"
    return (
        f'Could not parse: Could not find the attribute "{name}" on type {type_name} '
        f'in the query segment "{".".join(path)}"'
    )


def _compares(comparison: Comparison, candidate: RallyObject, context: QueryContext) -> bool:
    attribute, values = _resolve(candidate, comparison.path, context.store)
    if comparison.operator == "in":
        tests = [("=", wanted) for wanted in comparison.values]
    else:
        tests = [(comparison.operator, comparison.values[0])]
    return any(
        _satisfies(attribute, value, test, wanted, context)
        for value in values or [None]
        for test, wanted in tests
    )


def _resolve(
    start: RallyObject, path: Sequence[str], store: ObjectStore
) -> tuple[Attribute, list[Value]]:
    """Follow a dotted path; a collection on the way gives as many values as it has items."""
    holders = [start]
    attribute = start.type.attributes[path[0]]
    for name, next_name in itertools.pairwise(path):
        holders = [
            related
            for holder in holders
            for related in store.related(holder, holder.type.attributes[name])
        ]
        target = concrete_types(attribute.target)[0]
        attribute = target.attributes[next_name]
    if attribute.kind is Kind.COLLECTION:
        items = [item for holder in holders for item in store.related(holder, attribute)]
        return attribute, [item.object_id for item in items]
    return attribute, [store.value(holder, holder.type.attributes[path[-1]]) for holder in holders]


def _satisfies(
    attribute: Attribute, value: Value, test: str, wanted: str, context: QueryContext
) -> bool:
    if test.endswith("contains"):
        found = wanted.lower() in str("" if value is None else value).lower()
        return found is (test == "contains")
    if wanted == "null" or value is None:
        return _null_test(value, test, wanted)
    if attribute.kind is Kind.DATE:
        return _date_test(str(value), test, wanted, context)
    if attribute.kind in {Kind.OBJECT, Kind.COLLECTION}:
        return (value == _wanted_object(attribute, wanted, context)) is (test == "=")
    if test in _SIGNS:
        return _order_test(attribute, value, test, wanted)
    return _equal(attribute, value, wanted) is (test == "=")


def _null_test(value: Value, test: str, wanted: str) -> bool:
    both_null = value is None and wanted == "null"
    return {"=": both_null, "!=": not both_null}.get(test, False)


def _date_test(value: str, test: str, wanted: str, context: QueryContext) -> bool:
    date_range = parse_date(wanted, context.now)
    if date_range is None:
        raise WsapiError(f'Could not convert: Cannot parse date from "{wanted}"')
    moment = parse_timestamp(value)
    return moment is not None and date_range.satisfies(test, moment)


def _wanted_object(attribute: Attribute, wanted: str, context: QueryContext) -> int | None:
    if attribute.target == "User":
        if wanted.lower() == "currentuser":
            return context.user.object_id
        for user in context.store.of_types(("User",), context.user):
            if user.values["UserName"] == wanted:
                return user.object_id
    if _DIGITS.fullmatch(wanted):
        return int(wanted)
    object_id = object_id_of_ref(wanted)
    if object_id is None and attribute.target != "User":
        raise WsapiError(f'Could not convert: Cannot parse object reference from "{wanted}"')
    return object_id


def _equal(attribute: Attribute, value: Value, wanted: str) -> bool:
    if attribute.kind in NUMBERS:
        return _as_number(value) == _as_number(wanted)
    if attribute.kind is Kind.BOOLEAN:
        return str(value).lower() == wanted.lower()
    return str(value) == wanted


def _order_test(attribute: Attribute, value: Value, test: str, wanted: str) -> bool:
    if attribute.kind in PICKLISTS and wanted not in attribute.allowed_values:
        return False
    left, right = _place(attribute, value), _place(attribute, wanted)
    return (left > right) - (left < right) in _SIGNS[test]


def _place(attribute: Attribute, value: Value) -> tuple[float, str]:
    """Return where a value stands among those of its attribute."""
    if attribute.kind in PICKLISTS:
        return attribute.allowed_values.index(str(value)), ""
    if attribute.kind in NUMBERS:
        return _as_number(value), ""
    if attribute.name == "FormattedID":
        return _counter(str(value)), ""
    return 0, str(value)


def _as_number(text: Value) -> float:
    try:
        return float(str(text))
    except ValueError:
        raise WsapiError(f'Could not convert: Cannot parse number from "{text}"') from None


def _counter(formatted_id: str) -> int:
    digits = _DIGITS.search(formatted_id)
    return int(digits[0]) if digits else 0
