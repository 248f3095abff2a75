"""Creating, updating and deleting objects, with the checks that Rally makes."""

from collections.abc import Mapping
from dataclasses import dataclass

from devtools.rally_simulator.attributes import RallyType, Value
from devtools.rally_simulator.conversion import Converter
from devtools.rally_simulator.errors import WsapiError
from devtools.rally_simulator.objects import ObjectStore, RallyObject
from devtools.rally_simulator.scoping import default_project, named_project

_NOT_CREATABLE = "Not authorized to create: {}"


@dataclass(frozen=True, slots=True)
class Written:
    """The object as it stands after a write, and what Rally ignored on the way."""

    item: RallyObject
    warnings: tuple[str, ...]


def create(
    store: ObjectStore,
    user: RallyObject,
    rally_type: RallyType,
    body: bytes,
    parameters: Mapping[str, str],
) -> Written:
    """Create an object. Raises WsapiError with all that is wrong."""
    if not rally_type.creatable:
        raise WsapiError(_NOT_CREATABLE.format(rally_type.name))
    converter = Converter(store, user, rally_type)
    values = converter.values_of(body)
    values = {**_defaults(store, user, rally_type, parameters), **values}
    converter.check_required(values)
    converter.raise_errors()
    return Written(store.add(rally_type.name, user.workspace_id, values), converter.warnings)


def update(store: ObjectStore, user: RallyObject, target: RallyObject, body: bytes) -> Written:
    """Update an object. Raises WsapiError with all that is wrong."""
    converter = Converter(store, user, target.type)
    values = converter.values_of(body)
    converter.check_required({**target.values, **values})
    converter.raise_errors()
    _apply_rules(store, target, values)
    store.change(target, values)
    return Written(target, converter.warnings)


def _defaults(
    store: ObjectStore, user: RallyObject, rally_type: RallyType, parameters: Mapping[str, str]
) -> dict[str, Value]:
    defaults: dict[str, Value] = {}
    for name in ("CreatedBy", "SubmittedBy", "User"):
        if name in rally_type.attributes:
            defaults[name] = user.object_id
    project = rally_type.attributes.get("Project")
    if project and project.is_stored:
        defaults["Project"] = _project_of_request(store, user, parameters).object_id
    return defaults


def _project_of_request(
    store: ObjectStore, user: RallyObject, parameters: Mapping[str, str]
) -> RallyObject:
    ref = parameters.get("project", "")
    if ref and ref != "null":
        return named_project(ref, store, user)
    return default_project(store, user)


def _apply_rules(store: ObjectStore, target: RallyObject, values: dict[str, Value]) -> None:
    """Add what follows from a change."""
    if target.type.name == "Task" and values.get("State") == "Completed":
        values.setdefault("ToDo", 0)
    project = values.get("Project", target.values.get("Project"))
    if project != target.values.get("Project"):
        for name in ("Iteration", "Release"):
            if name in target.type.attributes:
                values.setdefault(name, _same_name_in(store, target, name, project))


def _same_name_in(
    store: ObjectStore, target: RallyObject, attribute_name: str, project: Value
) -> Value:
    """Find the iteration or release of the new project that is called like the old one."""
    for current in store.related(target, target.type.attributes[attribute_name]):
        for other in store.of_types((attribute_name,), target):
            if other.values["Project"] == project and other.name == current.name:
                return other.object_id
    return None
