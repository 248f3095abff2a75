"""Answering a query: scope, filter, order, page, and what `fetch` asks for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from devtools.rally_simulator.attributes import RallyType
from devtools.rally_simulator.objects import RallyObject
from devtools.rally_simulator.query_evaluation import (
    QueryContext,
    check_paths,
    matches,
    ordered,
)
from devtools.rally_simulator.query_language import parse_query
from devtools.rally_simulator.rendering import Fetch, JsonObject, Renderer, query_result
from devtools.rally_simulator.scoping import projects_in_scope
from devtools.rally_simulator.type_catalog import concrete_types, find_type_name

DEFAULT_PAGE_SIZE = 20
LARGEST_PAGE_SIZE = 2000


@dataclass(frozen=True, slots=True)
class Query:
    """A query's parameters, asked by `user`."""

    renderer: Renderer
    user: RallyObject
    parameters: Mapping[str, str]

    def of_type(self, type_name: str) -> JsonObject:
        """Answer a query of a type, within its workspace and project. Raises WsapiError."""
        scope = projects_in_scope(self.parameters, self.renderer.store, self.user)
        types = self._queried_types(type_name)
        names = [rally_type.name for rally_type in types]
        candidates = self.renderer.store.of_types(names, self.user)
        in_scope = [item for item in candidates if self._is_in_scope(item, scope)]
        context = self._context(type_name, types)
        return self._page(self._selected(in_scope, context))

    def of_collection(self, items: Iterable[RallyObject], type_name: str) -> JsonObject:
        """Answer a query of exactly these items. Raises WsapiError."""
        context = self._context(type_name, concrete_types(type_name))
        return self._page(self._selected(items, context))

    def _context(self, type_name: str, types: tuple[RallyType, ...]) -> QueryContext:
        return QueryContext(self.renderer.store, self.user, self.renderer.now, type_name, types)

    def _selected(
        self, candidates: Iterable[RallyObject], context: QueryContext
    ) -> list[RallyObject]:
        """Filter by `query` and sort by `order`."""
        text = self.parameters.get("query", "").strip()
        if text:
            expression = parse_query(text)
            check_paths(expression, context)
            candidates = [item for item in candidates if matches(expression, item, context)]
        return ordered(candidates, self.parameters.get("order", ""), context)

    def _page(self, found: list[RallyObject]) -> JsonObject:
        fetch = Fetch.parse(self.parameters.get("fetch", ""))
        start = max(self._number("start", 1), 1)
        page_size = min(self._number("pagesize", DEFAULT_PAGE_SIZE), LARGEST_PAGE_SIZE)
        page = found[start - 1 : start - 1 + page_size]
        results = [self.renderer.item(item, fetch) for item in page]
        return query_result(results, total=len(found), start=start, page_size=page_size)

    def _queried_types(self, type_name: str) -> tuple[RallyType, ...]:
        """Return the types to search; `types` narrows an artifact query."""
        types = concrete_types(type_name)
        wanted = self.parameters.get("types", "")
        names = {find_type_name(name.strip()) for name in wanted.split(",")}
        return tuple(found for found in types if found.name in names) if wanted else types

    def _is_in_scope(self, item: RallyObject, scope: set[int] | None) -> bool:
        project = item.type.attributes.get("Project")
        if project is None or scope is None:
            return True
        return self.renderer.store.value(item, project) in scope

    def _number(self, name: str, default: int) -> int:
        text = self.parameters.get(name, "")
        return int(text) if text.isdecimal() and int(text) > 0 else default
