"""Rally's description of itself: type definitions, attribute definitions, allowed values."""

import hashlib
import itertools
from datetime import UTC, datetime
from functools import cache

from devtools.rally_simulator.attributes import PICKLISTS, Attribute, RallyType, spaced
from devtools.rally_simulator.objects import EVERY_WORKSPACE, ObjectStore, RallyObject
from devtools.rally_simulator.rendering import EVERYTHING, JsonObject, Renderer, query_result
from devtools.rally_simulator.type_catalog import ARTIFACTS, TYPES

FIRST_RELEASE = datetime(2002, 1, 1, tzinfo=UTC)
"""Since when the definitions are there."""


def add_definitions(store: ObjectStore) -> None:
    """Add the definitions of every type, which all workspaces share, to an empty store.

    Attributes and values get negative ObjectIDs, as the standard ones have in Rally.
    """
    store.add_copies(_definitions().everything)


@cache
def _definitions() -> ObjectStore:
    # Making them takes ten times what copying does, and a test has a Rally of its own.
    store = ObjectStore(lambda: FIRST_RELEASE)
    negative_ids = itertools.count(-6, -1)
    for ordinal, rally_type in enumerate(TYPES.values()):
        definition = _add_type(store, rally_type, ordinal)
        for attribute in rally_type.attributes.values():
            _add_attribute(store, definition, attribute, negative_ids)
    return store


def schema_hash() -> str:
    """Return the key under which the schema may be cached; it changes when the schema does."""
    return hashlib.sha256(repr(sorted(TYPES)).encode()).hexdigest()[:32]


def schema_document(renderer: Renderer, user: RallyObject) -> JsonObject:
    """Write every type definition with its attributes in place of the collection stub."""
    rows: list[JsonObject] = []
    for definition in renderer.store.of_types(("TypeDefinition",), user):
        attributes = renderer.store.related(definition, definition.type.attributes["Attributes"])
        row = renderer.item(definition, EVERYTHING)
        row["Attributes"] = [_schema_attribute(renderer, attribute) for attribute in attributes]
        row["RevisionHistory"] = None
        rows.append(row)
    return query_result(rows, total=len(rows), start=1, page_size=len(rows))


def _schema_attribute(renderer: Renderer, definition: RallyObject) -> JsonObject:
    row = renderer.item(definition, EVERYTHING)
    if not definition.values["Constrained"]:
        row["AllowedValues"] = []
    return row


def _add_type(store: ObjectStore, rally_type: RallyType, ordinal: int) -> RallyObject:
    return store.add(
        "TypeDefinition",
        EVERY_WORKSPACE,
        {
            "Name": spaced(rally_type.name),
            "DisplayName": rally_type.display_name,
            "ElementName": rally_type.name,
            "TypePath": rally_type.name,
            "IDPrefix": rally_type.id_prefix,
            "Ordinal": ordinal,
            "Creatable": rally_type.creatable,
            "Deletable": rally_type.creatable,
            "Queryable": True,
            "ReadOnly": not rally_type.creatable,
            "Restorable": rally_type.name in ARTIFACTS,
        },
    )


def _add_attribute(
    store: ObjectStore,
    definition: RallyObject,
    attribute: Attribute,
    negative_ids: "itertools.count[int]",
) -> None:
    added = store.add(
        "AttributeDefinition",
        EVERY_WORKSPACE,
        {
            "Name": attribute.display_name,
            "ElementName": attribute.name,
            "AttributeType": attribute.kind.value,
            "RealAttributeType": attribute.kind.value,
            "SchemaType": attribute.target or attribute.kind.value.title(),
            "MaxLength": attribute.max_length,
            "MaxFractionalDigits": 0,
            "Constrained": attribute.kind in PICKLISTS,
            "Filterable": True,
            "Sortable": True,
            "ReadOnly": attribute.read_only,
            "Required": attribute.required,
            "TypeDefinition": definition.object_id,
        },
        object_id=next(negative_ids),
    )
    for index, value in enumerate(attribute.allowed_values):
        store.add(
            "AllowedAttributeValue",
            EVERY_WORKSPACE,
            {
                "StringValue": value,
                "LocalizedStringValue": value or "None",
                "ValueIndex": index,
                "AttributeDefinition": added.object_id,
            },
            object_id=next(negative_ids),
        )
