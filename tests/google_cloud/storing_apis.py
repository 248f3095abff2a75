"""Firestore's administration, Secret Manager and Artifact Registry, as far as gcloud calls them."""

from tests.google_cloud.project_apis import policy_routes
from tests.google_cloud.resources import Json, Resources

_DATABASE = r"(projects/[^/]+/databases/[^/]+)"
_FIELD = rf"({_DATABASE[1:-1]}/collectionGroups/[^/]+/fields/[^/]+)"
_SECRET = r"(projects/[^/]+/secrets/[^/:]+)"
_REPOSITORY = r"(projects/[^/]+/locations/[^/]+/repositories/[^/:]+)"


def finished(name: str, kind: str, resource: Json) -> Json:
    """Return an operation that is done."""
    return {
        "name": name,
        "done": True,
        "metadata": {"@type": f"type.googleapis.com/{kind}"},
        "response": {"@type": "type.googleapis.com/google.protobuf.Struct", **resource},
    }


def _operation(resources: Resources, request, name: str) -> Json:
    return {"name": name, "done": True}


def _databases(resources: Resources, request, project: str) -> Json:
    return {"databases": resources.under(f"{project}/databases")}


def _make_database(resources: Resources, request, project: str) -> Json:
    name = f"{project}/databases/{request.query['databaseId']}"
    database = {"deleteProtectionState": "DELETE_PROTECTION_DISABLED", **request.body}
    resources.create(name, database)
    return {"name": f"{name}/operations/made", "done": True}


def _change_database(resources: Resources, request, name: str) -> Json:
    resources.patch(name, request.body, request.query["updateMask"])
    return {"name": f"{name}/operations/changed", "done": True}


def _fields(resources: Resources, request, database: str) -> Json:
    asked = request.query["filter"]
    found = [
        resource
        for name, resource in resources.kept.items()
        if name.startswith(f"{database}/collectionGroups/") and _is_asked_for(resource, asked)
    ]
    return {"fields": found}


def _is_asked_for(resource: Json, asked: str) -> bool:
    """Firestore knows these two filters and no other."""
    return {
        "ttlConfig:*": "ttlConfig" in resource,
        "indexConfig.usesAncestorConfig:false": "indexConfig" in resource,
    }[asked]


def _change_field(resources: Resources, request, name: str, *_) -> Json:
    resources.get(name.partition("/collectionGroups/")[0])
    resources.kept.setdefault(name, {"name": name})
    resources.patch(name, request.body, request.query["updateMask"])
    return {"name": f"{name.partition('/collectionGroups/')[0]}/operations/field", "done": True}


def _backup_schedules(resources: Resources, request, database: str) -> Json:
    return {"backupSchedules": resources.under(f"{database}/backupSchedules")}


def _make_backup_schedule(resources: Resources, request, database: str) -> Json:
    resources.get(database)
    return resources.create(f"{database}/backupSchedules/daily", request.body)


def _secrets(resources: Resources, request, project: str) -> Json:
    return {"secrets": resources.under(f"{project}/secrets")}


def _make_secret(resources: Resources, request, project: str) -> Json:
    return resources.create(f"{project}/secrets/{request.query['secretId']}", request.body)


def _repositories(resources: Resources, request, location: str) -> Json:
    return {"repositories": resources.under(f"{location}/repositories")}


def _make_repository(resources: Resources, request, location: str) -> Json:
    name = f"{location}/repositories/{request.query['repositoryId']}"
    resources.create(name, request.body)
    return finished(
        f"{location}/operations/made", "google.devtools.artifactregistry.v1.OperationMetadata", {}
    )


def _repository(resources: Resources, request, name: str) -> Json:
    return resources.get(name)


def _change_repository(resources: Resources, request, name: str) -> Json:
    return resources.patch(name, request.body, request.query["updateMask"])


APIS = {
    "firestore": [
        ("GET", r"v1/(projects/[^/]+)/databases", _databases),
        ("POST", r"v1/(projects/[^/]+)/databases", _make_database),
        ("PATCH", rf"v1/{_DATABASE}", _change_database),
        ("GET", rf"v1/{_DATABASE}/collectionGroups/[^/]+/fields", _fields),
        ("PATCH", rf"v1/{_FIELD}", _change_field),
        ("GET", rf"v1/({_DATABASE[1:-1]}/operations/[^/]+)", _operation),
        ("GET", rf"v1/{_DATABASE}/backupSchedules", _backup_schedules),
        ("POST", rf"v1/{_DATABASE}/backupSchedules", _make_backup_schedule),
    ],
    "secretmanager": [
        ("GET", r"v1/(projects/[^/]+)/secrets", _secrets),
        ("POST", r"v1/(projects/[^/]+)/secrets", _make_secret),
        *policy_routes(rf"v1/{_SECRET}"),
    ],
    "artifactregistry": [
        ("GET", r"v1/(projects/[^/]+/locations/[^/]+)/repositories", _repositories),
        ("POST", r"v1/(projects/[^/]+/locations/[^/]+)/repositories", _make_repository),
        ("GET", rf"v1/{_REPOSITORY}", _repository),
        ("PATCH", rf"v1/{_REPOSITORY}", _change_repository),
        ("GET", r"v1/(projects/[^/]+/locations/[^/]+/operations/[^/]+)", _operation),
        *policy_routes(rf"v1/{_REPOSITORY}"),
    ],
}
