"""Cloud Functions and Cloud Run, as far as gcloud calls them here."""

from tests.google_cloud.project_apis import policy_routes
from tests.google_cloud.resources import GoogleError, Json, Resources
from tests.google_cloud.storing_apis import finished

_LOCATION = r"(projects/[^/]+/locations/[^/]+)"
_FUNCTION = r"(projects/[^/]+/locations/[^/]+/functions/[^/:]+)"
_METADATA = "google.cloud.functions.v2.OperationMetadata"


def _runtimes(resources: Resources, request, location: str) -> Json:
    return {"runtimes": [{"name": "python313", "environment": "GEN_2"}]}


def _functions(resources: Resources, request, location: str) -> Json:
    return {"functions": resources.under(f"{location}/functions")}


def _function(resources: Resources, request, name: str) -> Json:
    return resources.get(name)


def _make_function(resources: Resources, request, location: str) -> Json:
    name = f"{location}/functions/{request.query['functionId']}"
    _check(resources, request.body)
    function = resources.create(name, {**request.body, "environment": "GEN_2", "state": "ACTIVE"})
    _completed(resources, function)
    return finished(f"{location}/operations/made", _METADATA, {})


def _change_function(resources: Resources, request, name: str) -> Json:
    _check(resources, request.body)
    function = resources.patch(name, request.body, request.query["updateMask"])
    function["state"] = "ACTIVE"
    _completed(resources, function)
    return finished(f"{name.rpartition('/functions/')[0]}/operations/changed", _METADATA, {})


def _check(resources: Resources, function: Json) -> None:
    build = function["buildConfig"]
    for account in (
        function["serviceConfig"]["serviceAccountEmail"],
        build["serviceAccount"].rpartition("/")[2],
    ):
        if not resources.has_account(account):
            raise GoogleError(400, "INVALID_ARGUMENT", f"Service account {account} does not exist.")
    resources.get(build["dockerRepository"])
    if build["environmentVariables"]["GOOGLE_FUNCTION_SOURCE"] not in _files(resources, function):
        raise GoogleError(400, "INVALID_ARGUMENT", "Build failed: missing main.py")


def _files(resources: Resources, function: Json) -> Json:
    source = function["buildConfig"]["source"]["storageSource"]
    return resources.get(f"buckets/{source['bucket']}/o/{source['object']}")["files"]


def _completed(resources: Resources, function: Json) -> None:
    """Add what Google adds: its own copy of the source, a variable, and the Cloud Run service."""
    location, _, short_name = function["name"].rpartition("/functions/")
    function["built_from"] = _files(resources, function)
    function["buildConfig"]["source"] = {
        "storageSource": {"bucket": "gcf-v2-sources", "object": f"{short_name}/function-source.zip"}
    }
    config = function["serviceConfig"]
    config["environmentVariables"].setdefault("LOG_EXECUTION_ID", "true")
    if config.get("minInstanceCount") == 0:
        del config["minInstanceCount"]
    service = f"{location}/services/{short_name}"
    config["service"] = service
    resources.kept.setdefault(service, {"name": service})


def _operation(resources: Resources, request, name: str) -> Json:
    return finished(name, _METADATA, {})


APIS = {
    "cloudfunctions": [
        ("GET", rf"v2/{_LOCATION}/runtimes", _runtimes),
        ("GET", rf"v2/{_LOCATION}/functions", _functions),
        ("POST", rf"v2/{_LOCATION}/functions", _make_function),
        ("GET", rf"v2/{_FUNCTION}", _function),
        ("PATCH", rf"v2/{_FUNCTION}", _change_function),
        ("GET", rf"v2/({_LOCATION[1:-1]}/operations/[^/]+)", _operation),
    ],
    "run": policy_routes(r"v1/(projects/[^/]+/locations/[^/]+/services/[^/:]+)"),
}
