"""Cloud Storage, as far as `gcloud storage buckets` and Terraform's state call it (JSON API v1)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from tests.google_cloud.resources import GoogleError, Json


@dataclass(frozen=True, slots=True)
class Call:
    """One request, with its body as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes

    @property
    def is_about_buckets(self) -> bool:
        """Whether it is about buckets and not about what is in one."""
        return re.fullmatch(r"storage/v1/b(/[^/]+)?", self.path) is not None


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What lies under one name. Every write makes a higher generation."""

    content: bytes
    generation: int


@dataclass(slots=True)
class Bucket:
    """A bucket: its properties as the API writes them, its project, and its objects by name."""

    properties: Json
    project: str
    objects: dict[str, StoredObject] = field(default_factory=dict)


@dataclass(slots=True)
class CloudStorage:
    """Every bucket of the world, those of strangers included: whoever asks may use them all."""

    buckets: dict[str, Bucket] = field(default_factory=dict)
    _generation: int = 1700000000000000

    def put(self, bucket: str, name: str, content: bytes) -> StoredObject:
        """Write an object, whatever lies there."""
        self._generation += 1
        written = StoredObject(content, self._generation)
        self.buckets[bucket].objects[name] = written
        return written

    def contents(self) -> dict[str, bytes]:
        """Return everything in every bucket, by bucket and name."""
        return {
            f"{bucket}/{name}": stored.content
            for bucket, kept in self.buckets.items()
            for name, stored in kept.objects.items()
        }

    def answer(self, call: Call) -> Json | bytes:
        """Do what a call asks. Bytes are an object's content."""
        for method, pattern, handler in _ROUTES:
            match = re.fullmatch(pattern, call.path)
            if match and method == call.method:
                return handler(self, call, *match.groups())
        message = f"The stand-in has no {call.method} {call.path}"
        raise GoogleError(HTTPStatus.NOT_IMPLEMENTED, "UNIMPLEMENTED", message)

    def _bucket(self, name: str) -> Bucket:
        if name not in self.buckets:
            raise _not_found("The specified bucket does not exist.")
        return self.buckets[name]

    def _list_buckets(self, call: Call) -> Json:
        project = call.query["project"]
        found = [each.properties for each in self.buckets.values() if each.project == project]
        return {"items": found}

    def _make_bucket(self, call: Call) -> Json:
        asked = json.loads(call.body)
        if asked["name"] in self.buckets:
            message = "The requested bucket name is not available."
            raise GoogleError(HTTPStatus.CONFLICT, "conflict", message)
        made = Bucket({**asked, "kind": "storage#bucket"}, call.query["project"])
        self.buckets[asked["name"]] = made
        return made.properties

    def _describe_bucket(self, _: Call, name: str) -> Json:
        return self._bucket(name).properties

    def _change_bucket(self, call: Call, name: str) -> Json:
        properties = self._bucket(name).properties
        properties.update(json.loads(call.body))
        return properties

    def _list_objects(self, call: Call, bucket: str) -> Json:
        prefix = call.query.get("prefix", "")
        found = sorted(name for name in self._bucket(bucket).objects if name.startswith(prefix))
        return {"items": [self._described(bucket, name) for name in found]}

    def _describe_object(self, _: Call, bucket: str, name: str) -> Json:
        self._existing(bucket, name)
        return self._described(bucket, name)

    def _read_object(self, _: Call, bucket: str, name: str) -> bytes:
        return self._existing(bucket, name).content

    def _write_object(self, call: Call, bucket: str) -> Json:
        described, content = _parts(call.body)
        self._check_generation(call, bucket, described["name"])
        self.put(bucket, described["name"], content)
        return self._described(bucket, described["name"])

    def _delete_object(self, call: Call, bucket: str, name: str) -> bytes:
        self._existing(bucket, name)
        self._check_generation(call, bucket, name)
        del self.buckets[bucket].objects[name]
        return b""

    def _existing(self, bucket: str, name: str) -> StoredObject:
        objects = self._bucket(bucket).objects
        if name not in objects:
            raise _not_found(f"No such object: {bucket}/{name}")
        return objects[name]

    def _check_generation(self, call: Call, bucket: str, name: str) -> None:
        """Terraform locks by this: it writes where nothing is, generation 0."""
        present = self._bucket(bucket).objects.get(name)
        generation = str(present.generation if present else 0)
        if call.query.get("ifGenerationMatch", generation) != generation:
            message = "At least one of the pre-conditions you specified did not hold."
            raise GoogleError(HTTPStatus.PRECONDITION_FAILED, "conditionNotMet", message)

    def _described(self, bucket: str, name: str) -> Json:
        stored = self.buckets[bucket].objects[name]
        return {
            "kind": "storage#object",
            "bucket": bucket,
            "name": name,
            "generation": str(stored.generation),
            "size": str(len(stored.content)),
        }


def _not_found(message: str) -> GoogleError:
    return GoogleError(HTTPStatus.NOT_FOUND, "notFound", message)


def _parts(body: bytes) -> tuple[Json, bytes]:
    """Take a multipart/related upload apart: what the object is called, and its bytes."""
    boundary = body.partition(b"\r\n")[0]
    _, described, content, _ = body.split(boundary)
    return json.loads(_without_header(described)), _without_header(content)


def _without_header(part: bytes) -> bytes:
    return part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")


_BUCKET = "storage/v1/b/([^/]+)"
_OBJECT = f"{_BUCKET}/o/(.+)"
_ROUTES = [
    ("GET", "storage/v1/b", CloudStorage._list_buckets),
    ("POST", "storage/v1/b", CloudStorage._make_bucket),
    ("GET", _BUCKET, CloudStorage._describe_bucket),
    ("PATCH", _BUCKET, CloudStorage._change_bucket),
    ("GET", f"{_BUCKET}/o", CloudStorage._list_objects),
    ("GET", _OBJECT, CloudStorage._describe_object),
    ("DELETE", _OBJECT, CloudStorage._delete_object),
    ("POST", f"upload/{_BUCKET}/o", CloudStorage._write_object),
    # The older XML API, by which Google's library for Go still reads.
    ("GET", "([^/]+)/(.+)", CloudStorage._read_object),
]
