"""What a Rally tenant has made its own: artifact prefixes and picklist values.

Read only where the stock values did not help, and never a reason to fail: what cannot be read is
replaced by Rally's stock values, with a warning in the log.
"""

from collections.abc import Mapping, Sequence

from rally_mcp import logs
from rally_mcp.errors import RallyMcpError, SignInRequired
from rally_mcp.rally.artifact_types import STOCK_TYPES, ArtifactType
from rally_mcp.rally.models import Reference
from rally_mcp.rally.query import equals
from rally_mcp.rally.wsapi import Wsapi

STOCK_VALUES: Mapping[tuple[str, str], Sequence[str]] = {
    ("Defect", "Severity"): ("Crash/Data Loss", "Major Problem", "Minor Problem", "Cosmetic"),
    ("Defect", "Priority"): ("Resolve Immediately", "High Attention", "Normal", "Low"),
}

_MOST_TYPES = "200"


async def types_by_prefix(wsapi: Wsapi) -> Mapping[str, ArtifactType]:
    """Return the tenant's artifact types by prefix, the stock ones where they cannot be read."""
    stock = {kind.prefix: kind for kind in STOCK_TYPES}
    try:
        found = await wsapi.get(
            "typedefinition",
            {
                "query": equals("Creatable", True).text,
                "fetch": "TypePath,IDPrefix,DisplayName",
                "pagesize": _MOST_TYPES,
                "start": "1",
            },
        )
    except SignInRequired:
        raise
    except RallyMcpError as error:
        logs.event("WARNING", "prefixes are the stock ones", error=type(error).__name__)
        return stock
    own = [_artifact_type(row) for row in found.results if row.get("IDPrefix")]
    return {kind.prefix: kind for kind in own} or stock


async def allowed_values(wsapi: Wsapi, artifact_type: ArtifactType, field: str) -> Sequence[str]:
    """Return a picklist's values, the stock ones where they cannot be read."""
    try:
        values = await _allowed_values(wsapi, artifact_type, field)
    except SignInRequired:
        raise
    except RallyMcpError as error:
        logs.event(
            "WARNING", "picklist values are the stock ones", field=field, error=type(error).__name__
        )
        values = ()
    return values or STOCK_VALUES.get((artifact_type.wsapi_type, field), ())


async def _allowed_values(wsapi: Wsapi, artifact_type: ArtifactType, field: str) -> Sequence[str]:
    """Follow Rally's own description: type, attribute, allowed values."""
    types = await wsapi.get(
        "typedefinition",
        {"query": equals("ElementName", artifact_type.wsapi_type).text, "fetch": "ObjectID"},
    )
    for definition in types.results[:1]:
        type_id = Reference.model_validate(definition).object_id
        attributes = await wsapi.get(
            f"typedefinition/{type_id}/Attributes",
            {"query": equals("ElementName", field).text, "fetch": "ObjectID,ElementName"},
        )
        for attribute in attributes.results:
            if attribute.get("ElementName") == field:
                attribute_id = Reference.model_validate(attribute).object_id
                values = await wsapi.get(
                    f"attributedefinition/{attribute_id}/AllowedValues",
                    {"fetch": "StringValue", "pagesize": _MOST_TYPES},
                )
                named = (str(value.get("StringValue") or "") for value in values.results)
                return tuple(name for name in named if name)
    return ()


def _artifact_type(row: Mapping[str, object]) -> ArtifactType:
    path = str(row.get("TypePath", ""))
    stock = {kind.wsapi_type: kind for kind in STOCK_TYPES}.get(path)
    return ArtifactType(
        wsapi_type=path,
        title=stock.title if stock else str(row.get("DisplayName") or path).lower(),
        prefix=str(row["IDPrefix"]).upper(),
        page=stock.page if stock else path.lower(),
    )
