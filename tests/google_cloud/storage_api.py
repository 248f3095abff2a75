"""Cloud Storage, as far as `gcloud storage` calls it here."""

import base64
import email
import hashlib
import io
import json
import zipfile
from typing import Any

from tests.google_cloud.resources import GoogleError, Json, Resources


def _buckets(resources: Resources, request: Any) -> Json:
    return {"items": [resource["bucket"] for resource in resources.under("buckets")]}


def _make_bucket(resources: Resources, request: Any) -> Json:
    bucket = {**request.body, "kind": "storage#bucket", "storageClass": "STANDARD"}
    resources.create(f"buckets/{request.body['name']}", {"bucket": bucket})
    return bucket


def _bucket(resources: Resources, request: Any, name: str) -> Json:
    return resources.get(f"buckets/{name}")["bucket"]


def _change_bucket(resources: Resources, request: Any, name: str) -> Json:
    bucket = _bucket(resources, request, name)
    bucket.update(request.body)
    return bucket


def _objects(resources: Resources, request: Any, bucket: str) -> Json:
    _bucket(resources, request, bucket)
    found = resources.under(f"buckets/{bucket}/o")
    asked = request.query.get("prefix", "")
    return {"items": [it["object"] for it in found if it["object"]["name"].startswith(asked)]}


def _object(resources: Resources, request: Any, bucket: str, name: str) -> Json:
    return resources.get(f"buckets/{bucket}/o/{name}")["object"]


def _upload(resources: Resources, request: Any, bucket: str) -> Json:
    """Keep a zip with the files in it, so that a test can read them."""
    _bucket(resources, request, bucket)
    described, content = _parts(request.body)
    name = described["name"]
    if f"buckets/{bucket}/o/{name}" in resources.kept:
        raise GoogleError(412, "FAILED_PRECONDITION", "At least one pre-condition did not hold.")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {member: archive.read(member).decode() for member in archive.namelist()}
    kept = {
        "name": name,
        "bucket": bucket,
        "generation": "1",
        "size": str(len(content)),
        "md5Hash": base64.b64encode(hashlib.md5(content).digest()).decode(),
    }
    resources.create(f"buckets/{bucket}/o/{name}", {"object": kept, "files": files})
    return kept


def _parts(body: str) -> tuple[Json, bytes]:
    """Take a multipart/related upload apart: what the object is called, and its bytes."""
    boundary = body.partition("\n")[0].strip().removeprefix("--")
    head = f"Content-Type: multipart/related; boundary={boundary}\n\n"
    described, content = email.message_from_string(head + body).get_payload()
    return json.loads(described.get_payload()), content.get_payload(decode=True)


APIS = {
    "storage": [
        ("GET", r"v1/b", _buckets),
        ("POST", r"v1/b", _make_bucket),
        ("GET", r"v1/b/([^/]+)", _bucket),
        ("PATCH", r"v1/b/([^/]+)", _change_bucket),
        ("GET", r"v1/b/([^/]+)/o", _objects),
        ("GET", r"v1/b/([^/]+)/o/(.+)", _object),
    ],
    "upload": [("POST", r"storage/v1/b/([^/]+)/o", _upload)],
}
