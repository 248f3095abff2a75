"""Client id metadata documents: a client whose id is the URL of a document that describes it.

draft-ietf-oauth-client-id-metadata-document, which the MCP authorization specification prefers to
registration. What a document says is as true as its host is trusted: the consent page shows the
host. What was fetched is remembered for a while, in this process alone:

a document    as long as its Cache-Control says, but a minute at least and a day at most
a refusal     a minute, as a refusal, so that nobody can have a host asked over and over
no network    a minute; a well-known client's document stands in for the one that cannot be had
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rally_mcp import logs
from rally_mcp.authorization_server.document_fetch import (
    DocumentFetch,
    FetchFailed,
    HostUnreachable,
    TooManyFetches,
)
from rally_mcp.authorization_server.public_addresses import parse_url
from rally_mcp.authorization_server.redirect_uris import LONGEST, MOST, ApplicationType
from rally_mcp.authorization_server.registration import cleaned_name
from rally_mcp.authorization_server.well_known_clients import WELL_KNOWN
from rally_mcp.errors import InvalidInput

SHORTEST_MEMORY = timedelta(seconds=60)
LONGEST_MEMORY = timedelta(hours=24)

MOST_REMEMBERED = 100
"""Documents of one kind; refusals are counted apart, so that they push no document out."""

_SECRET_MEMBERS = frozenset({"client_secret", "client_secret_expires_at"})

_PRIVATE_KEY_MEMBERS = frozenset({"d", "k", "priv"})
"""One of them is in every private or shared JWK (RFC 7518 §6, RFC 8037 §2)."""

_RedirectUri = Annotated[str, StringConstraints(max_length=LONGEST)]
_RedirectUris = Annotated[list[_RedirectUri], Field(min_length=1, max_length=MOST)]

T = TypeVar("T")


class DocumentRefused(InvalidInput):
    """The URL, its host, or what is served there is not acceptable.

    The message is the same for all, so that nobody learns from it what can be reached from here;
    `problem` is for the log.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(
            "The metadata document that this client's id is the URL of cannot be had, or does not "
            "describe a client that may sign people in. Try again in a minute; if that does not "
            "help, tell whoever publishes the client."
        )
        self.problem = problem


@dataclass(frozen=True, slots=True)
class MetadataDocument:
    """A client as its document describes it. Whether a redirect URI is fit for use is not checked.

    `client_id` is the document's URL. `token_endpoint_auth_method` is `none` or `private_key_jwt`;
    with the latter, either `jwks` or `jwks_uri` is set, and holds public keys.
    """

    client_id: str
    client_name: str
    redirect_uris: tuple[str, ...]
    token_endpoint_auth_method: str
    grant_types: tuple[str, ...]
    scope: str
    application_type: ApplicationType
    jwks: Mapping[str, Any] | None
    jwks_uri: str


def is_metadata_document_url(client_id: str) -> bool:
    """Tell whether a client id is meant as a URL. Whether it is a good one shows when fetched."""
    return client_id.startswith("https://")


class MetadataDocuments:
    """The documents of clients and the key sets these point to, fetched and remembered.

    One for a process. Callers that come at once for one URL share one fetch. Both verbs raise
    DocumentRefused.
    """

    def __init__(self, fetch: DocumentFetch, clock: Callable[[], datetime]) -> None:
        well_known = {
            url: _described(url, _Document.model_validate(members))
            for url, members in WELL_KNOWN.items()
        }
        self._documents = _Readings(fetch, clock, _document, well_known)
        self._key_sets = _Readings(fetch, clock, _key_set, {})

    async def find(self, url: str) -> MetadataDocument:
        """Return the document of the client whose id is this URL."""
        return await self._documents.find(url)

    async def keys_at(self, jwks_uri: str) -> Mapping[str, Any]:
        """Return the JWK set (RFC 7517 §5) at a document's `jwks_uri`: public keys of any kind."""
        return await self._key_sets.find(jwks_uri)


class _KeySet(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    keys: list[dict[str, Any]] = Field(min_length=1)


class _Document(BaseModel):
    """What a document has to be (RFC 7591 §2), as far as it matters here; logos do not."""

    model_config = ConfigDict(strict=True, extra="ignore")

    client_id: str
    redirect_uris: _RedirectUris
    client_name: str | None = None
    # RFC 7591's default is a shared secret, which there is none of.
    token_endpoint_auth_method: Literal["none", "private_key_jwt"] | None = None
    grant_types: list[str] | None = None
    scope: str | None = None
    application_type: ApplicationType | None = None
    jwks: _KeySet | None = None
    jwks_uri: str | None = None
    client_secret: object = None
    client_secret_expires_at: object = None


def _document(url: str, body: bytes) -> MetadataDocument:
    try:
        document = _Document.model_validate_json(body)
    except ValidationError as error:
        raise DocumentRefused(f"The document is not acceptable: {_members(error)}") from None
    return _described(url, document)


def _described(url: str, document: _Document) -> MetadataDocument:
    if document.client_id != url:
        raise DocumentRefused("The document's client_id is not its URL")
    if _SECRET_MEMBERS & document.model_fields_set:
        raise DocumentRefused("The document has a client secret in it")
    grant_types = tuple(document.grant_types or ["authorization_code"])
    if "authorization_code" not in grant_types:
        raise DocumentRefused("The document's grant_types are without authorization_code")
    _check_keys(document)
    return MetadataDocument(
        client_id=url,
        client_name=cleaned_name(document.client_name or "") or parse_url(url).host,
        redirect_uris=tuple(document.redirect_uris),
        token_endpoint_auth_method=document.token_endpoint_auth_method or "none",
        grant_types=grant_types,
        scope=document.scope or "",
        application_type=document.application_type or "",
        jwks=document.jwks.model_dump() if document.jwks else None,
        jwks_uri=document.jwks_uri or "",
    )


def _check_keys(document: _Document) -> None:
    if document.jwks:
        _check_public(document.jwks)
    if document.jwks_uri:
        try:
            parse_url(document.jwks_uri)
        except ValueError as refused:
            raise DocumentRefused(f"The document's jwks_uri: {refused}") from None
    is_public = document.token_endpoint_auth_method in {None, "none"}
    if not is_public and bool(document.jwks) == bool(document.jwks_uri):
        raise DocumentRefused("The document has not one of jwks and jwks_uri")


def _key_set(_: str, body: bytes) -> Mapping[str, Any]:
    try:
        key_set = _KeySet.model_validate_json(body)
    except ValidationError as error:
        raise DocumentRefused(f"The key set is not acceptable: {_members(error)}") from None
    _check_public(key_set)
    return key_set.model_dump()


def _check_public(key_set: _KeySet) -> None:
    if any(_PRIVATE_KEY_MEMBERS & key.keys() for key in key_set.keys):
        raise DocumentRefused("A key in the set is private or shared")


def _members(error: ValidationError) -> str:
    """Name the members that are wrong, in our own words; what they hold is the stranger's."""
    names = {str(item["loc"][0]) for item in error.errors() if item["loc"]}
    return ", ".join(sorted(names)) or "no JSON object"


class _Memory(Generic[T]):
    """Values by URL, each until its time; of too many, those used longest ago are forgotten."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._values: OrderedDict[str, tuple[T, datetime]] = OrderedDict()

    def get(self, url: str) -> T | None:
        value, ends_at = self._values.get(url, (None, self._clock()))
        if ends_at <= self._clock():
            return None
        self._values.move_to_end(url)
        return value

    def put(self, url: str, value: T, lasting: timedelta) -> None:
        self._values[url] = value, self._clock() + lasting
        self._values.move_to_end(url)
        if len(self._values) > MOST_REMEMBERED:
            self._values.popitem(last=False)


class _Readings(Generic[T]):
    """What `read` makes of the documents at URLs: fetched once, then remembered."""

    def __init__(
        self,
        fetch: DocumentFetch,
        clock: Callable[[], datetime],
        read: Callable[[str, bytes], T],
        without_network: Mapping[str, T],
    ) -> None:
        self._fetch = fetch
        self._read = read
        self._without_network = without_network
        self._found = _Memory[T](clock)
        self._refused = _Memory[str](clock)
        self._under_way: dict[str, asyncio.Task[T]] = {}

    async def find(self, url: str) -> T:
        found = self._found.get(url)
        if found is not None:
            return found
        problem = self._refused.get(url)
        if problem is not None:
            raise DocumentRefused(problem)
        return await self._fetch_once(url)

    async def _fetch_once(self, url: str) -> T:
        """Join the fetch that is under way, or start one that outlives a caller who gives up."""
        task = self._under_way.get(url)
        if task is None:
            task = asyncio.create_task(self._fetched(url))
            self._under_way[url] = task
            task.add_done_callback(lambda done: self._finish(url, done))
        return await asyncio.shield(task)

    def _finish(self, url: str, task: "asyncio.Task[T]") -> None:
        del self._under_way[url]
        error = None if task.cancelled() else task.exception()
        if isinstance(error, DocumentRefused):
            logs.event("INFO", "client metadata refused", url=url, problem=error.problem)

    async def _fetched(self, url: str) -> T:
        try:
            answer = await self._fetch.get(url)
            value = self._read(url, answer.body)
        except FetchFailed as failure:
            return self._otherwise(url, failure)
        except DocumentRefused as refused:
            self._refused.put(url, refused.problem, SHORTEST_MEMORY)
            raise
        asked = timedelta(seconds=answer.max_age)
        self._found.put(url, value, min(max(asked, SHORTEST_MEMORY), LONGEST_MEMORY))
        return value

    def _otherwise(self, url: str, failure: FetchFailed) -> T:
        problem = str(failure)
        if isinstance(failure, HostUnreachable) and url in self._without_network:
            logs.event("WARNING", "well-known client metadata in use", url=url, problem=problem)
            self._found.put(url, self._without_network[url], SHORTEST_MEMORY)
            return self._without_network[url]
        # That this process was busy says nothing about the document.
        if not isinstance(failure, TooManyFetches):
            self._refused.put(url, problem, SHORTEST_MEMORY)
        raise DocumentRefused(problem) from None
