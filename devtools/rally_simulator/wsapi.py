"""WSAPI v2.0: which resource a path means, what each method does there, and the envelope."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

from devtools.rally_simulator.attributes import Kind
from devtools.rally_simulator.errors import UnknownResource, WsapiError
from devtools.rally_simulator.objects import RallyObject
from devtools.rally_simulator.queries import Query
from devtools.rally_simulator.rendering import (
    EVERYTHING,
    Fetch,
    JsonObject,
    Renderer,
    operation_result,
    read_result,
    refusal,
    wsapi_response,
)
from devtools.rally_simulator.type_catalog import TYPES, concrete_types, find_type_name
from devtools.rally_simulator.writes import create, update

SINGLETONS = frozenset({"user", "subscription"})


@dataclass(frozen=True, slots=True)
class WsapiRequest:
    """One request of a signed-in user; `segments` are the path below the version."""

    renderer: Renderer
    user: RallyObject
    method: str
    segments: tuple[str, ...]
    parameters: Mapping[str, str]
    body: bytes = b""

    def answer(self) -> Response:
        """Do what the request asks. Raises UnknownResource for what has no endpoint."""
        envelope = self._envelope()
        try:
            return wsapi_response(self._document())
        except WsapiError as refused:
            return wsapi_response(refusal(envelope, refused))

    def _envelope(self) -> str:
        """Name the result that carries the errors of this request."""
        if self.segments[1:] == ("create",):
            return "CreateResult"
        is_query = self.method == "GET" and len(self.segments) != len(("type", "oid"))
        return "QueryResult" if is_query else "OperationResult"

    def _document(self) -> JsonObject:
        if self.segments == ("security", "authorize"):
            return operation_result({"SecurityToken": secrets.token_urlsafe(32)})
        type_name = find_type_name(self.segments[0])
        match self.method, self.segments[1:]:
            case _ if type_name is None:
                raise UnknownResource(f'Requested type name "{self.segments[0]}" is unknown.')
            case "GET", ():
                return self._query(type_name)
            case (("POST" | "PUT"), ("create",)):
                return self._create(type_name)
            case "GET", (object_id,):
                return self._read(type_name, object_id)
            case (("POST" | "PUT"), (object_id,)):
                return self._update(type_name, object_id)
            case "DELETE", (object_id,):
                return self._delete(type_name, object_id)
            case "GET", (object_id, attribute_name):
                return self._collection(type_name, object_id, attribute_name)
        raise UnknownResource(f"{self.method} is not possible here.")

    def _query(self, type_name: str) -> JsonObject:
        segment = self.segments[0].lower().removesuffix(".js")
        if segment in SINGLETONS and "query" not in self.parameters:
            return self._singleton(type_name)
        return Query(self.renderer, self.user, self.parameters).of_type(type_name)

    def _singleton(self, type_name: str) -> JsonObject:
        """`GET /user` is the caller and `GET /subscription` theirs."""
        item = self.user
        if type_name == "Subscription":
            item = self.renderer.store.related(item, item.type.attributes["Subscription"])[0]
        return read_result(type_name, self.renderer.item(item, self._fetch()))

    def _read(self, type_name: str, object_id: str) -> JsonObject:
        item = self._find(type_name, object_id)
        if item is None:
            raise WsapiError("Cannot find object to read")
        return read_result(item.type.name, self.renderer.item(item, self._fetch()))

    def _create(self, type_name: str) -> JsonObject:
        if type_name not in TYPES:
            raise WsapiError(f"Not authorized to create: {type_name}")
        written = create(
            self.renderer.store, self.user, TYPES[type_name], self.body, self.parameters
        )
        document = {"Object": self.renderer.item(written.item, self._fetch())}
        return operation_result(document, warnings=written.warnings, name="CreateResult")

    def _update(self, type_name: str, object_id: str) -> JsonObject:
        item = self._find(type_name, object_id)
        if item is None:
            raise WsapiError(f"Could not read: Could not read {type_name} {object_id} to update.")
        if not item.type.creatable:
            raise WsapiError(f"Not authorized to update: {item.type.name}")
        written = update(self.renderer.store, self.user, item, self.body)
        document = {"Object": self.renderer.item(written.item, self._fetch())}
        return operation_result(document, warnings=written.warnings)

    def _delete(self, type_name: str, object_id: str) -> JsonObject:
        item = self._find(type_name, object_id)
        if item is None:
            raise WsapiError("Object to delete cannot be null")
        if not item.type.creatable:
            raise WsapiError(f"Not authorized to delete: {item.type.name}")
        self.renderer.store.remove(item)
        return operation_result({})

    def _collection(self, type_name: str, object_id: str, attribute_name: str) -> JsonObject:
        holder = self._find(type_name, object_id)
        attribute = holder.type.attributes.get(attribute_name) if holder else None
        if holder is None or attribute is None or attribute.kind is not Kind.COLLECTION:
            raise WsapiError("Cannot find object to read")
        items = self.renderer.store.related(holder, attribute)
        visible = [item for item in items if item.is_visible_to(self.user)]
        return Query(self.renderer, self.user, self.parameters).of_collection(
            visible, attribute.target
        )

    def _find(self, type_name: str, object_id: str) -> RallyObject | None:
        """Find an object by what stands in the path; the type has to fit."""
        digits = object_id.removesuffix(".js")
        if not digits.lstrip("-").isdecimal():
            return None
        item = self.renderer.store.find(int(digits), self.user)
        return item if item and item.type in concrete_types(type_name) else None

    def _fetch(self) -> Fetch:
        """A single object is written out whole unless `fetch` narrows it."""
        text = self.parameters.get("fetch", "")
        return Fetch.parse(text) if text else EVERYTHING
