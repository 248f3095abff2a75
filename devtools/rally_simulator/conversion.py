"""From the JSON body of a write to values of a type, with Rally's texts for what is wrong."""

import json
import math

from devtools.rally_simulator.attributes import (
    NUMBERS,
    PICKLISTS,
    Attribute,
    Kind,
    RallyType,
    Value,
)
from devtools.rally_simulator.date_variables import parse_timestamp
from devtools.rally_simulator.errors import WsapiError
from devtools.rally_simulator.objects import (
    ObjectStore,
    RallyObject,
    object_id_of_ref,
    wire_time,
)
from devtools.rally_simulator.type_catalog import concrete_types, find_type_name


class Converter:
    """Converts one body for one type; collects warnings, and errors until `raise_errors`."""

    def __init__(self, store: ObjectStore, user: RallyObject, rally_type: RallyType) -> None:
        self._store = store
        self._user = user
        self._type = rally_type
        self._warnings: list[str] = []
        self._errors: dict[str, str] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was ignored."""
        return tuple(self._warnings)

    def values_of(self, body: bytes) -> dict[str, Value]:
        """Read `{"Type": {attribute: value}}`. Raises WsapiError if it is not that at all."""
        values: dict[str, Value] = {}
        for name, wire_value in self._elements(body).items():
            if name.startswith("_"):
                continue
            attribute = self._type.attributes.get(name)
            if attribute is None or attribute.read_only:
                self._ignore(name)
                continue
            try:
                values[name] = self._converted(attribute, wire_value)
            except WsapiError as refused:
                self._errors[name] = refused.errors[0]
        return values

    def check_required(self, values: dict[str, Value]) -> None:
        """Note an error for each required attribute that has no value."""
        for name, attribute in self._type.attributes.items():
            if attribute.required and values.get(name) in {None, ""}:
                refusal = f"Validation error: {self._type.name}.{name} should not be null"
                self._errors.setdefault(name, refusal)

    def raise_errors(self) -> None:
        """Raise WsapiError if anything was wrong."""
        if self._errors:
            raise WsapiError(*self._errors.values(), warnings=self.warnings)

    def _elements(self, body: bytes) -> dict[str, object]:
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if isinstance(document, dict):
            for key, elements in document.items():
                if find_type_name(key) == self._type.name and isinstance(elements, dict):
                    return elements
        raise WsapiError(
            "Cannot parse input stream due to I/O error as JSON document: "
            f'expected an object "{self._type.name}"'
        )

    def _ignore(self, name: str) -> None:
        self._warnings.append(
            f"Ignored JSON element {self._type.name.lower()}.{name} "
            "during processing of this request."
        )

    def _converted(self, attribute: Attribute, wire_value: object) -> Value:
        if attribute.kind is Kind.COLLECTION:
            return self._object_ids(attribute, wire_value)
        if attribute.kind is Kind.OBJECT:
            return self._object_id(attribute, wire_value)
        if attribute.kind in PICKLISTS:
            return self._picklist_value(attribute, wire_value)
        if wire_value is None:
            return attribute.default
        if attribute.kind in NUMBERS:
            return _number(wire_value)
        if attribute.kind is Kind.BOOLEAN:
            return str(wire_value).lower() == "true"
        if attribute.kind is Kind.DATE:
            return _date(wire_value)
        return self._text(attribute, str(wire_value))

    def _text(self, attribute: Attribute, text: str) -> str:
        if len(text) > attribute.max_length:
            raise WsapiError(
                f"Validation error: {self._type.name}.{attribute.name} length is greater than "
                f"the maximum length of {attribute.max_length}"
            )
        return text

    def _picklist_value(self, attribute: Attribute, wire_value: object) -> str:
        value = "" if wire_value is None else str(wire_value)
        if value == "None" and "" in attribute.allowed_values:
            value = ""
        if value not in attribute.allowed_values:
            raise WsapiError(
                f"Validation error: {self._type.name}.{attribute.name} "
                f'"{value}" is not an allowed value'
            )
        return value

    def _object_id(self, attribute: Attribute, wire_value: object) -> int | None:
        if wire_value in (None, "", "null"):
            return None
        ref = str(wire_value.get("_ref", "")) if isinstance(wire_value, dict) else str(wire_value)
        object_id = object_id_of_ref(ref)
        if object_id is None:
            raise WsapiError(f'Could not convert: Cannot parse object reference from "{ref}"')
        found = self._store.find(object_id, self._user)
        if found is None or found.type not in concrete_types(attribute.target):
            raise WsapiError(f"Could not read: Could not read referenced object {object_id}")
        return object_id

    def _object_ids(self, attribute: Attribute, wire_value: object) -> tuple[int, ...]:
        """Read the array of `{"_ref"}` that replaces a collection."""
        if not isinstance(wire_value, list):
            raise WsapiError(f"Could not convert: Cannot parse collection {attribute.name}")
        found = [self._object_id(attribute, item) for item in wire_value]
        return tuple(object_id for object_id in found if object_id is not None)


def _number(wire_value: object) -> float:
    try:
        value = float(str(wire_value))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise WsapiError(f'Could not convert: Cannot parse number from "{wire_value}"')
    return value


def _date(wire_value: object) -> str:
    moment = parse_timestamp(str(wire_value))
    if moment is None:
        raise WsapiError(f'Could not convert: Cannot parse date from "{wire_value}"')
    return wire_time(moment)
