"""The objects of the simulated Rally, their references to each other, and who may see them."""

import itertools
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from devtools.rally_simulator.attributes import Attribute, Kind, RallyType, Value
from devtools.rally_simulator.type_catalog import TYPES

FIRST_OBJECT_ID = 838_568_308_001
"""Above 2^31, as today's ObjectIDs are."""

EVERY_WORKSPACE = 0
"""Where definitions live, which all users share."""

_REF = re.compile(r"(?:^|/)(\w+)/(-?\d+)(?:\.js)?$")


def wire_time(moment: datetime) -> str:
    """Write an aware UTC instant as Rally does, such as `2025-12-04T08:13:23.201Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def object_id_of_ref(ref: str) -> int | None:
    """Return the ObjectID at the end of an absolute or relative `_ref`, or None."""
    match = _REF.search(ref.strip())
    return int(match[2]) if match else None


@dataclass(slots=True, eq=False)
class RallyObject:
    """One object. `values` has every stored attribute of its type."""

    type: RallyType
    object_id: int
    workspace_id: int
    values: dict[str, Value] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What `_refObjectName` says."""
        return str(self.values.get(self.type.name_attribute) or "")

    def is_visible_to(self, user: "RallyObject") -> bool:
        """Whether this user may know of the object at all."""
        return self.workspace_id in {EVERY_WORKSPACE, user.workspace_id}


@cache
def _defaults(type_name: str) -> Mapping[str, Value]:
    attributes = TYPES[type_name].attributes
    return {name: each.default for name, each in attributes.items() if each.is_stored}


class ObjectStore:
    """Every object, by ObjectID."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._objects: dict[int, RallyObject] = {}
        self._ids = itertools.count(FIRST_OBJECT_ID)
        self._formatted_ids: Counter[tuple[int, str]] = Counter()

    def add(
        self,
        type_name: str,
        workspace_id: int,
        values: dict[str, Value],
        *,
        object_id: int | None = None,
    ) -> RallyObject:
        """Add an object with `values`, and defaults for the rest.

        A workspace is created with `workspace_id` equal to its own `object_id`.
        """
        rally_type = TYPES[type_name]
        identity = next(self._ids) if object_id is None else object_id
        added = RallyObject(rally_type, identity, workspace_id)
        added.values = {
            **_defaults(type_name),
            **self._given_by_rally(rally_type, workspace_id, identity),
            **values,
        }
        self._objects[identity] = added
        return added

    @property
    def everything(self) -> Iterable[RallyObject]:
        """Every object, oldest first."""
        return self._objects.values()

    def add_copies(self, others: Iterable[RallyObject]) -> None:
        """Add objects of another store, which keep their ObjectIDs."""
        for other in others:
            copied = RallyObject(
                other.type, other.object_id, other.workspace_id, dict(other.values)
            )
            self._objects[copied.object_id] = copied
        self._ids = itertools.count(max(FIRST_OBJECT_ID - 1, *self._objects) + 1)

    def new_object_id(self) -> int:
        """Reserve an ObjectID, for objects that refer to each other."""
        return next(self._ids)

    def change(self, changed: RallyObject, values: dict[str, Value]) -> None:
        """Apply `values` and count the version up."""
        changed.values.update(values)
        changed.values["VersionId"] = str(int(str(changed.values["VersionId"])) + 1)
        if "LastUpdateDate" in changed.values:
            changed.values["LastUpdateDate"] = wire_time(self._clock())

    def remove(self, removed: RallyObject) -> None:
        """Remove an object and what cannot be without it; other references to it become null."""
        self._objects.pop(removed.object_id, None)
        for other in list(self._objects.values()):
            for attribute in _references(other.type):
                if other.values[attribute.name] != removed.object_id:
                    continue
                if attribute.required:
                    self.remove(other)
                else:
                    other.values[attribute.name] = None

    def find(self, object_id: Value, user: RallyObject) -> RallyObject | None:
        """Return the object if it exists and `user` may see it."""
        found = self._objects.get(object_id) if isinstance(object_id, int) else None
        return found if found is not None and found.is_visible_to(user) else None

    def of_types(self, type_names: Iterable[str], user: RallyObject) -> Iterator[RallyObject]:
        """Yield what `user` may see of these types, oldest first."""
        wanted = set(type_names)
        for candidate in self._objects.values():
            if candidate.type.name in wanted and candidate.is_visible_to(user):
                yield candidate

    def value(self, holder: RallyObject, attribute: Attribute) -> Value:
        """Return an attribute's value: stored, inherited or worked out. Not for collections."""
        if attribute.inherited_from:
            source = self._objects.get(_as_id(holder.values[attribute.inherited_from]))
            return source.values.get(attribute.name) if source else None
        derive = _DERIVED.get(attribute.name)
        return derive(self, holder) if derive else holder.values[attribute.name]

    def related(self, holder: RallyObject, attribute: Attribute) -> list[RallyObject]:
        """Return what a reference or collection leads to, oldest first."""
        if attribute.inverse:
            return [
                other
                for other in self._objects.values()
                if other.type.name == attribute.target
                and other.values.get(attribute.inverse) == holder.object_id
            ]
        value = self.value(holder, attribute)
        ids = value if isinstance(value, tuple) else (_as_id(value),)
        return [self._objects[related_id] for related_id in ids if related_id in self._objects]

    def _given_by_rally(
        self, rally_type: RallyType, workspace_id: int, object_id: int
    ) -> dict[str, Value]:
        now = wire_time(self._clock())
        workspace = self._objects.get(workspace_id)
        given: dict[str, Value] = {
            "ObjectID": object_id,
            "ObjectUUID": str(uuid.uuid4()),
            "VersionId": "1",
            "CreationDate": now,
            "LastUpdateDate": now,
            "Workspace": workspace_id or None,
            "Subscription": workspace.values["Subscription"] if workspace else None,
            "DragAndDropRank": f"P!{object_id:x}",
        }
        if rally_type.id_prefix:
            self._formatted_ids[workspace_id, rally_type.id_prefix] += 1
            counter = self._formatted_ids[workspace_id, rally_type.id_prefix]
            given["FormattedID"] = f"{rally_type.id_prefix}{counter}"
        return {name: value for name, value in given.items() if name in rally_type.attributes}


def _references(rally_type: RallyType) -> Iterator[Attribute]:
    for attribute in rally_type.attributes.values():
        if attribute.kind is Kind.OBJECT and attribute.is_stored:
            yield attribute


def _as_id(value: Value) -> int:
    return value if isinstance(value, int) else 0


def _task_total(attribute_name: str) -> Callable[[ObjectStore, RallyObject], Value]:
    def total(store: ObjectStore, story: RallyObject) -> Value:
        tasks = store.related(story, story.type.attributes["Tasks"])
        return sum(float(str(task.values[attribute_name] or 0)) for task in tasks)

    return total


def _children_count(store: ObjectStore, story: RallyObject) -> Value:
    return len(store.related(story, story.type.attributes["Children"]))


def _post_number(store: ObjectStore, post: RallyObject) -> Value:
    """Count the posts that the discussion had before this one."""
    for artifact in store.related(post, post.type.attributes["Artifact"]):
        discussion = store.related(artifact, artifact.type.attributes["Discussion"])
        return discussion.index(post)
    return None


def _has_parent(_store: ObjectStore, story: RallyObject) -> Value:
    return story.values["Parent"] is not None


_DERIVED: dict[str, Callable[[ObjectStore, RallyObject], Value]] = {
    "TaskEstimateTotal": _task_total("Estimate"),
    "TaskRemainingTotal": _task_total("ToDo"),
    "TaskActualTotal": _task_total("Actuals"),
    "DirectChildrenCount": _children_count,
    "HasParent": _has_parent,
    "PostNumber": _post_number,
}
