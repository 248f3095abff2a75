"""Service Usage, Resource Manager and IAM, as far as gcloud calls them here."""

from collections.abc import Sequence

from tests.google_cloud.resources import GoogleError, Json, Resources

_PROJECT = r"(projects/[^/:]+)"


def _enabled(resources: Resources, request, project: str) -> Json:
    return {"services": resources.under(f"{project}/services")}


def _service(resources: Resources, request, name: str) -> Json:
    return resources.kept.get(name, {"name": name, "state": "DISABLED"})


def _enable(resources: Resources, request, project: str) -> Json:
    for service in request.body["serviceIds"]:
        name = f"{project}/services/{service}"
        resources.kept[name] = {"name": name, "config": {"name": service}, "state": "ENABLED"}
    return {"name": "operations/acat.1", "done": True, "response": {}}


def _finished(resources: Resources, request, name: str) -> Json:
    return {"name": name, "done": True, "response": {}}


def _project(resources: Resources, request, name: str) -> Json:
    if name != resources.root:
        raise GoogleError(403, "PERMISSION_DENIED", "The caller does not have permission")
    return {"projectId": resources.project, "projectNumber": resources.number, "name": "Acme"}


def _policy(resources: Resources, request, name: str) -> Json:
    policy = resources.policy(name)
    options = request.body.get("options", {}) if request.body else {}
    asked = options.get(
        "requestedPolicyVersion", request.query.get("options.requestedPolicyVersion", 1)
    )
    if int(asked) == 3:
        return policy
    # To who asks for less, Google hides conditions behind names that work nowhere.
    hidden = [
        {**binding, "role": f"{binding['role']}_withcond_1"} if "condition" in binding else binding
        for binding in policy.get("bindings", [])
    ]
    return {**policy, "bindings": [_without_condition(binding) for binding in hidden]}


def _without_condition(binding: Json) -> Json:
    return {key: value for key, value in binding.items() if key != "condition"}


def _set_policy(resources: Resources, request, name: str) -> Json:
    return resources.set_policy(name, request.body["policy"])


def policy_routes(names: str) -> Sequence[tuple]:
    """Return what reads and writes the allow policies of resources."""
    return [
        ("GET", rf"{names}:getIamPolicy", _existing(_policy)),
        ("POST", rf"{names}:getIamPolicy", _existing(_policy)),
        ("POST", rf"{names}:setIamPolicy", _existing(_set_policy)),
    ]


def _existing(handler):
    def answer(resources: Resources, request, name: str) -> Json:
        if name != resources.root:
            resources.get(name)
        return handler(resources, request, name)

    return answer


def _accounts(resources: Resources, request, project: str) -> Json:
    return {"accounts": resources.under(f"{project}/serviceAccounts")}


def _make_account(resources: Resources, request, project: str) -> Json:
    address = f"{request.body['accountId']}@{resources.project}.iam.gserviceaccount.com"
    account = {**request.body.get("serviceAccount", {}), "email": address}
    return resources.create(f"{project}/serviceAccounts/{address}", account)


def _roles(resources: Resources, request, project: str) -> Json:
    # Permissions are told in the full view alone.
    shown = ("name", "title", "description", "stage", "etag", "deleted")
    roles = resources.under(f"{project}/roles")
    return {"roles": [{key: role[key] for key in shown if key in role} for role in roles]}


def _role(resources: Resources, request, name: str) -> Json:
    return resources.get(name)


def _make_role(resources: Resources, request, project: str) -> Json:
    return resources.create(f"{project}/roles/{request.body['roleId']}", request.body["role"])


def _change_role(resources: Resources, request, name: str) -> Json:
    return resources.patch(name, request.body, request.query["updateMask"])


def _restore_role(resources: Resources, request, name: str) -> Json:
    resources.get(name).pop("deleted", None)
    return resources.get(name)


APIS = {
    "serviceusage": [
        ("GET", rf"v1/{_PROJECT}/services", _enabled),
        ("GET", r"v1/(projects/[^/]+/services/[^/]+)", _service),
        ("POST", rf"v1/{_PROJECT}/services:batchEnable", _enable),
        ("GET", r"v1/(operations/.+)", _finished),
    ],
    "cloudresourcemanager": [
        ("GET", rf"v1/{_PROJECT}", _project),
        *policy_routes(rf"v1/{_PROJECT}"),
    ],
    "iam": [
        ("GET", rf"v1/{_PROJECT}/serviceAccounts", _accounts),
        ("POST", rf"v1/{_PROJECT}/serviceAccounts", _make_account),
        ("GET", rf"v1/{_PROJECT}/roles", _roles),
        ("POST", rf"v1/{_PROJECT}/roles", _make_role),
        ("GET", r"v1/(projects/[^/]+/roles/[^/:]+)", _role),
        ("PATCH", r"v1/(projects/[^/]+/roles/[^/:]+)", _change_role),
        ("POST", r"v1/(projects/[^/]+/roles/[^/:]+):undelete", _restore_role),
    ],
}
