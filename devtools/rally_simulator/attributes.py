"""The words in which Rally's types are declared: kinds, attributes and types."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

Value = str | int | float | bool | tuple[int, ...] | None
"""What an object stores for an attribute, as the wire has it; references are ObjectIDs, and a
stored collection is a tuple of them."""


class Kind(StrEnum):
    """What Rally's schema calls AttributeType."""

    STRING = "STRING"
    TEXT = "TEXT"
    INTEGER = "INTEGER"
    DECIMAL = "DECIMAL"
    QUANTITY = "QUANTITY"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"
    RATING = "RATING"
    STATE = "STATE"
    OBJECT = "OBJECT"
    COLLECTION = "COLLECTION"


NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.QUANTITY})
PICKLISTS = frozenset({Kind.RATING, Kind.STATE})


def spaced(name: str) -> str:
    """Write a CamelCase name as people read it, such as "Schedule State"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a type.

    `target` is the type that a reference or collection leads to, `inverse` the attribute there
    that leads back (a collection without one is stored). `allowed_values` are in Rally's order,
    with "" for unset. `inherited_from` names the reference whose object holds the value.
    """

    name: str
    kind: Kind
    target: str = ""
    inverse: str = ""
    allowed_values: tuple[str, ...] = ()
    default: Value = None
    max_length: int = 0
    required: bool = False
    read_only: bool = False
    inherited_from: str = ""

    @property
    def display_name(self) -> str:
        """What Rally calls the attribute's Name, as opposed to its ElementName."""
        return spaced(self.name)

    @property
    def is_stored(self) -> bool:
        """Whether an object holds the value itself."""
        return not (self.inherited_from or self.inverse)


@dataclass(frozen=True, slots=True)
class RallyType:
    """One type of object, under the name that the WSAPI gives it."""

    name: str
    display_name: str
    attributes: Mapping[str, Attribute]
    id_prefix: str = ""
    name_attribute: str = "Name"
    creatable: bool = False


def string(
    name: str, *, required: bool = False, read_only: bool = False, max_length: int = 256
) -> Attribute:
    """Declare a line of text."""
    return Attribute(
        name, Kind.STRING, required=required, read_only=read_only, max_length=max_length
    )


def text(name: str) -> Attribute:
    """Declare rich text: HTML of at most 32,768 characters."""
    return Attribute(name, Kind.TEXT, default="", max_length=32768)


def number(name: str, kind: Kind = Kind.QUANTITY, *, read_only: bool = False) -> Attribute:
    """Declare a number."""
    return Attribute(name, kind, read_only=read_only)


def flag(name: str, *, default: bool = False, read_only: bool = False) -> Attribute:
    """Declare a boolean."""
    return Attribute(name, Kind.BOOLEAN, default=default, read_only=read_only)


def date(name: str, *, read_only: bool = False) -> Attribute:
    """Declare an instant."""
    return Attribute(name, Kind.DATE, read_only=read_only)


def state(name: str, *values: str, default: str) -> Attribute:
    """Declare an ordered picklist that always has a value."""
    return Attribute(name, Kind.STATE, allowed_values=values, default=default)


def rating(name: str, *values: str) -> Attribute:
    """Declare a picklist that may be unset, which is "" in a query and "None" in an answer."""
    return Attribute(name, Kind.RATING, allowed_values=("", *values), default="")


def reference(
    name: str,
    target: str,
    *,
    required: bool = False,
    read_only: bool = False,
    inherited_from: str = "",
) -> Attribute:
    """Declare a reference to one object."""
    return Attribute(
        name,
        Kind.OBJECT,
        target=target,
        required=required,
        read_only=read_only or bool(inherited_from),
        inherited_from=inherited_from,
    )


def collection(name: str, target: str, *, inverse: str = "", read_only: bool = False) -> Attribute:
    """Declare a collection; one with an `inverse` is filled from the other side."""
    return Attribute(
        name,
        Kind.COLLECTION,
        target=target,
        inverse=inverse,
        read_only=read_only or bool(inverse),
        default=None if inverse else (),
    )


def declare(
    name: str,
    display_name: str,
    *attributes: Attribute,
    id_prefix: str = "",
    name_attribute: str = "Name",
    creatable: bool = False,
) -> RallyType:
    """Declare a type; of two attributes with one name the later counts."""
    by_name = {attribute.name: attribute for attribute in attributes}
    return RallyType(name, display_name, by_name, id_prefix, name_attribute, creatable)
