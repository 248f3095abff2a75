"""Objects as Rally writes them: references, collections, whole objects and result envelopes."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from devtools.rally_simulator.attributes import Attribute, Kind
from devtools.rally_simulator.date_variables import parse_timestamp
from devtools.rally_simulator.errors import WsapiError
from devtools.rally_simulator.objects import ObjectStore, RallyObject

JsonObject = dict[str, object]

API_VERSION: JsonObject = {"_rallyAPIMajor": "2", "_rallyAPIMinor": "0"}
JUST_NOW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Which attributes to write out: all of them, or those that are named."""

    everything: bool = False
    names: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> "Fetch":
        """Read a `fetch` parameter: `true`, a comma list (pyral puts it in quotes), or neither."""
        if text.lower() == "true":
            return cls(everything=True)
        names = frozenset(re.findall(r"\w+", text)) - {"false", "False"}
        return cls(names=names)


EVERYTHING = Fetch(everything=True)


@dataclass(frozen=True, slots=True)
class Renderer:
    """Writes objects with absolute `_ref`s below `base_url`, which ends without a slash."""

    store: ObjectStore
    base_url: str
    now: datetime

    def reference(self, referred: RallyObject) -> JsonObject:
        """Write what stands for an object inside another, and in a query without fetch."""
        return {
            **API_VERSION,
            "_ref": self._url(referred.type.name.lower(), referred.object_id),
            "_refObjectUUID": referred.values["ObjectUUID"],
            "_refObjectName": referred.name,
            "_type": referred.type.name,
        }

    def item(
        self, rendered: RallyObject, fetch: Fetch, above: tuple[RallyObject, ...] = ()
    ) -> JsonObject:
        """Write an object with the fetched attributes, and below it those of its references.

        `fetch=Owner,UserName` writes UserName into Owner: fetch is flat. `above` breaks cycles.
        """
        if rendered.type.name == "AllowedAttributeValue":
            # Rally writes these out without being asked; pyral reads StringValue unasked.
            fetch = EVERYTHING
        document = self.reference(rendered)
        if rendered in above or not (fetch.everything or fetch.names):
            return document
        document["_objectVersion"] = rendered.values["VersionId"]
        document["_CreatedAt"] = self._created_at(str(rendered.values["CreationDate"]))
        for name, attribute in rendered.type.attributes.items():
            if fetch.everything or name in fetch.names:
                document[name] = self._value(rendered, attribute, fetch, (*above, rendered))
        return document

    def collection(self, holder: RallyObject, attribute: Attribute) -> JsonObject:
        """Write the stub that leads to a collection's own URL (with the type in CamelCase)."""
        items = self.store.related(holder, attribute)
        url = self._url(holder.type.name, holder.object_id)
        document: JsonObject = {
            **API_VERSION,
            "_ref": f"{url}/{attribute.name}",
            "_type": attribute.target,
            "Count": len(items),
        }
        if attribute.target == "Tag":
            document["_tagsNameArray"] = [
                {"Name": tag.name, **self.reference(tag)} for tag in items
            ]
        return document

    def _value(
        self,
        holder: RallyObject,
        attribute: Attribute,
        fetch: Fetch,
        above: tuple[RallyObject, ...],
    ) -> object:
        if attribute.kind is Kind.COLLECTION:
            return self.collection(holder, attribute)
        if attribute.kind is Kind.OBJECT:
            related = self.store.related(holder, attribute)
            return self.item(related[0], Fetch(names=fetch.names), above) if related else None
        value = self.store.value(holder, attribute)
        return "None" if attribute.kind is Kind.RATING and value == "" else value

    def _url(self, type_segment: str, object_id: int) -> str:
        return f"{self.base_url}/slm/webservice/v2.0/{type_segment}/{object_id}"

    def _created_at(self, creation_date: str) -> str:
        created = parse_timestamp(creation_date) or self.now
        if self.now - created < JUST_NOW:
            return "just now"
        clock = created.strftime("%I:%M %p").lstrip("0").lower()
        if created.date() == self.now.astimezone(UTC).date():
            return f"today at {clock}"
        return f"{created.strftime('%b')} {created.day}, {created.year}"


def wsapi_response(document: JsonObject) -> Response:
    """Answer 200 with JSON whose angle brackets are escaped, as Rally's are."""
    body = json.dumps(document).replace("<", "\\u003C").replace(">", "\\u003E")
    return Response(body, media_type="application/json")


def query_result(
    results: Sequence[JsonObject], *, total: int, start: int, page_size: int
) -> JsonObject:
    """Wrap one page of a query."""
    return {
        "QueryResult": {
            **_outcome(),
            "TotalResultCount": total,
            "StartIndex": start,
            "PageSize": page_size,
            "Results": list(results),
        }
    }


def read_result(type_name: str, document: JsonObject) -> JsonObject:
    """Wrap one object that was read: Errors and Warnings stand inside it."""
    return {type_name: {**document, "Errors": [], "Warnings": []}}


def operation_result(
    members: Mapping[str, object], *, warnings: Sequence[str] = (), name: str = "OperationResult"
) -> JsonObject:
    """Wrap what an operation did; a creation's envelope is named `CreateResult`."""
    return {name: {**_outcome(warnings=warnings), **members}}


def refusal(name: str, refused: WsapiError) -> JsonObject:
    """Wrap the texts of an error in the envelope that the request would have had."""
    members: JsonObject = {}
    if name == "QueryResult":
        members = {"TotalResultCount": 0, "StartIndex": 0, "PageSize": 0, "Results": []}
    outcome = _outcome(errors=refused.errors, warnings=refused.warnings)
    return {name: {**outcome, **members}}


def _outcome(*, errors: Sequence[str] = (), warnings: Sequence[str] = ()) -> JsonObject:
    return {**API_VERSION, "Errors": list(errors), "Warnings": list(warnings)}
