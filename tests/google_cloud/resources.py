"""What the stand-in for Google Cloud keeps: resources by name, and who may do what to each.

The names are Google's: projects/P/secrets/S. Plain JSON, so that a test compares whole states.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

Json = dict[str, Any]


class GoogleError(Exception):
    """An error as Google's APIs answer it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": status, "status": reason, "message": message}}


@dataclass(slots=True)
class Resources:
    """Everything in one project. `create` and `get` refuse as Google does."""

    project: str
    number: str
    kept: dict[str, Json] = field(default_factory=dict)
    policies: dict[str, Json] = field(default_factory=dict)

    @property
    def root(self) -> str:
        """The project's own name."""
        return f"projects/{self.project}"

    def get(self, name: str) -> Json:
        """Return the resource. Answers 404 where there is none."""
        if name not in self.kept:
            raise GoogleError(404, "NOT_FOUND", f"Resource '{name}' was not found.")
        return self.kept[name]

    def under(self, collection: str) -> list[Json]:
        """Return what lies directly in a collection, such as projects/P/secrets."""
        return [
            resource
            for name, resource in sorted(self.kept.items())
            if name.rpartition("/")[0] == collection
        ]

    def create(self, name: str, resource: Mapping[str, Any]) -> Json:
        """Keep a new resource. Answers 409 where there is one."""
        if name in self.kept:
            raise GoogleError(409, "ALREADY_EXISTS", f"Resource '{name}' already exists.")
        self.kept[name] = {**resource, "name": name}
        return self.kept[name]

    def patch(self, name: str, changes: Json, mask: str) -> Json:
        """Change the fields that an updateMask names, in camel or snake case."""
        resource = self.get(name)
        for path in mask.split(","):
            *parents, last = (_camel(part) for part in path.split("."))
            target, source = resource, changes
            for parent in parents:
                target, source = target.setdefault(parent, {}), source.get(parent, {})
            if last in source:
                target[last] = source[last]
            else:
                target.pop(last, None)
        return resource

    def policy(self, name: str) -> Json:
        """Return the allow policy of a resource, or the empty one."""
        return self.policies.get(name, {"version": 1, "etag": _etag(0)})

    def set_policy(self, name: str, policy: Json) -> Json:
        """Replace an allow policy, refusing one that was read too early or names nobody."""
        present = self.policy(name)
        if policy.get("etag", present["etag"]) != present["etag"]:
            raise GoogleError(409, "ABORTED", "There were concurrent policy changes.")
        bindings = policy.get("bindings", [])
        if any("condition" in binding for binding in bindings) and policy.get("version") != 3:
            _refuse("Conditions need policy version 3.")
        for binding in bindings:
            self._check_binding(binding)
        revision = int.from_bytes(base64.b64decode(present["etag"])) + 1
        self.policies[name] = {**policy, "etag": _etag(revision)}
        return self.policies[name]

    def _check_binding(self, binding: Json) -> None:
        if binding["role"].startswith("projects/") and binding["role"] not in self.kept:
            _refuse(f"Role {binding['role']} does not exist in the resource's hierarchy.")
        for member in binding["members"]:
            kind, _, address = member.partition(":")
            if kind == "serviceAccount" and not self.has_account(address):
                _refuse(f"Service account {address} does not exist.")

    def has_account(self, address: str) -> bool:
        """Tell whether a service account was made."""
        return f"{self.root}/serviceAccounts/{address}" in self.kept


def _refuse(message: str) -> NoReturn:
    raise GoogleError(400, "INVALID_ARGUMENT", message)


def _etag(revision: int) -> str:
    return base64.b64encode(revision.to_bytes(8)).decode()


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
