"""Which projects a query reaches: its workspace, its project, and the tree above and below."""

from collections.abc import Mapping

from devtools.rally_simulator.errors import WsapiError
from devtools.rally_simulator.objects import ObjectStore, RallyObject, object_id_of_ref


def projects_in_scope(
    parameters: Mapping[str, str], store: ObjectStore, user: RallyObject
) -> set[int] | None:
    """Return the ObjectIDs of the projects in scope, or None for the whole workspace.

    Without `workspace` and `project` the user's default project counts. `projectScopeUp` and
    `projectScopeDown` default to true, as on the server.
    """
    _check_workspace(parameters.get("workspace", ""), store, user)
    project = _project(parameters, store, user)
    if project is None:
        return None
    scope = {project.object_id}
    if _is_true(parameters.get("projectScopeUp")):
        scope |= _ancestors(project, store)
    if _is_true(parameters.get("projectScopeDown")):
        scope |= _descendants(project, store)
    return scope


def named_project(ref: str, store: ObjectStore, user: RallyObject) -> RallyObject:
    """Return the project that a parameter names. Raises WsapiError if the user cannot see it."""
    project = store.find(object_id_of_ref(ref), user)
    if project is None or project.type.name != "Project":
        raise WsapiError(f'Could not convert: Cannot parse object reference from "{ref}"')
    return project


def default_project(store: ObjectStore, user: RallyObject) -> RallyObject:
    """Return the project that the user's profile names."""
    return store.related(user, user.type.attributes["DefaultProject"])[0]


def _project(
    parameters: Mapping[str, str], store: ObjectStore, user: RallyObject
) -> RallyObject | None:
    ref = parameters.get("project", "")
    if ref and ref != "null":
        return named_project(ref, store, user)
    if ref == "null" or parameters.get("workspace"):
        return None
    return default_project(store, user)


def _check_workspace(ref: str, store: ObjectStore, user: RallyObject) -> None:
    if ref and store.find(object_id_of_ref(ref), user) is None:
        raise WsapiError(f'Could not convert: Cannot parse object reference from "{ref}"')


def _is_true(text: str | None) -> bool:
    return text is None or text.lower() == "true"


def _ancestors(project: RallyObject, store: ObjectStore) -> set[int]:
    parents = store.related(project, project.type.attributes["Parent"])
    return {
        ancestor
        for parent in parents
        for ancestor in {parent.object_id} | _ancestors(parent, store)
    }


def _descendants(project: RallyObject, store: ObjectStore) -> set[int]:
    children = store.related(project, project.type.attributes["Children"])
    return {
        descendant
        for child in children
        for descendant in {child.object_id} | _descendants(child, store)
    }
