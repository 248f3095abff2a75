"""Every type of the simulated Rally, and which of them a name means.

A type is added by declaring it; reading, writing, querying and the schema follow from that.
"""

from devtools.rally_simulator.administrative_types import ADMINISTRATIVE_TYPES
from devtools.rally_simulator.attached_types import ATTACHED_TYPES
from devtools.rally_simulator.attributes import RallyType
from devtools.rally_simulator.work_item_types import WORK_ITEM_TYPES

ARTIFACTS = ("HierarchicalRequirement", "Defect", "Task")
WORK_PRODUCTS = ("HierarchicalRequirement", "Defect")

TYPES = {
    rally_type.name: rally_type
    for rally_type in (*WORK_ITEM_TYPES, *ATTACHED_TYPES, *ADMINISTRATIVE_TYPES)
}

_ABSTRACT = {"Artifact": ARTIFACTS, "SchedulableArtifact": WORK_PRODUCTS}
_PLURALS = {"users": "user", "subscriptions": "subscription"}
_BY_LOWER_CASE = {name.lower(): name for name in (*TYPES, *_ABSTRACT)}


def concrete_types(name: str) -> tuple[RallyType, ...]:
    """Return the types that `name` stands for: more than one for an abstract type."""
    return tuple(TYPES[concrete] for concrete in _ABSTRACT.get(name, (name,)))


def find_type_name(path_segment: str) -> str | None:
    """Return the name of the type that a URL or document means, in any case, or None.

    The Java toolkit appends `.js`, and says `users` and `subscriptions` in queries.
    """
    segment = path_segment.lower().removesuffix(".js")
    return _BY_LOWER_CASE.get(_PLURALS.get(segment, segment))
