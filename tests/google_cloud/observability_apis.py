"""Cloud Logging and Cloud Monitoring, as far as gcloud calls them here."""

import json
import re

from tests.google_cloud.resources import GoogleError, Json, Resources


def _metrics(resources: Resources, request, project: str) -> Json:
    return {"metrics": [_metric(metric) for metric in resources.under(f"{project}/metrics")]}


def _metric(kept: Json) -> Json:
    """A metric's `name` in answers is the short one."""
    return {**kept, "name": kept["name"].rpartition("/")[2]}


def _get_metric(resources: Resources, request, name: str) -> Json:
    return _metric(resources.get(name))


def _make_metric(resources: Resources, request, project: str) -> Json:
    return _metric(resources.create(f"{project}/metrics/{request.body['name']}", request.body))


def _put_metric(resources: Resources, request, name: str) -> Json:
    resources.kept[name] = {**request.body, "name": name}
    return _metric(resources.kept[name])


def _sink(resources: Resources, request, name: str) -> Json:
    return {"name": name.rpartition("/")[2], **resources.kept.get(name, {})}


def _change_sink(resources: Resources, request, name: str) -> Json:
    resources.kept.setdefault(name, {"name": name})
    return _sink(
        resources, request, resources.patch(name, request.body, request.query["updateMask"])["name"]
    )


def _listed(collection: str):
    def answer(resources: Resources, request, project: str) -> Json:
        return {collection: resources.under(f"{project}/{collection}")}

    return answer


def _made(collection: str):
    def answer(resources: Resources, request, project: str) -> Json:
        _check_metrics(resources, request.body)
        number = len(resources.under(f"{project}/{collection}")) + 1
        # An uptime check's id begins with its name; the others are numbers.
        name = request.body["displayName"] if "httpCheck" in request.body else f"{number:04}"
        return resources.create(f"{project}/{collection}/{name}", request.body)

    return answer


def _replaced(resources: Resources, request, name: str) -> Json:
    _check_metrics(resources, request.body)
    resources.get(name)
    resources.kept[name] = {**request.body, "name": name}
    return resources.kept[name]


def _deleted(resources: Resources, request, name: str) -> Json:
    resources.get(name)
    del resources.kept[name]
    return {}


def _got(resources: Resources, request, name: str) -> Json:
    return resources.get(name)


def _check_metrics(resources: Resources, policy: Json) -> None:
    for metric in re.findall(r"logging\.googleapis\.com/user/(\w+)", json.dumps(policy)):
        if f"{resources.root}/metrics/{metric}" not in resources.kept:
            message = f"Cannot find metric(s) that match type = user/{metric}"
            raise GoogleError(404, "NOT_FOUND", message)


def _monitored(collection: str) -> list:
    return [
        ("GET", rf"v3/(projects/[^/]+)/{collection}", _listed(collection)),
        ("POST", rf"v3/(projects/[^/]+)/{collection}", _made(collection)),
        ("GET", rf"v3/(projects/[^/]+/{collection}/[^/]+)", _got),
        ("PATCH", rf"v3/(projects/[^/]+/{collection}/[^/]+)", _replaced),
        ("DELETE", rf"v3/(projects/[^/]+/{collection}/[^/]+)", _deleted),
    ]


APIS = {
    "logging": [
        ("GET", r"v2/(projects/[^/]+)/metrics", _metrics),
        ("POST", r"v2/(projects/[^/]+)/metrics", _make_metric),
        ("GET", r"v2/(projects/[^/]+/metrics/[^/]+)", _get_metric),
        ("PUT", r"v2/(projects/[^/]+/metrics/[^/]+)", _put_metric),
        ("GET", r"v2/(projects/[^/]+/sinks/[^/]+)", _sink),
        ("PATCH", r"v2/(projects/[^/]+/sinks/[^/]+)", _change_sink),
    ],
    "monitoring": [
        *_monitored("alertPolicies"),
        *_monitored("notificationChannels"),
        *_monitored("uptimeCheckConfigs"),
    ],
}
