"""Searches of issues and pull requests: the query language, and what a search finds."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from devtools.github_simulator.errors import ApiError, validation_failed
from devtools.github_simulator.repositories import Issue, RepositoryStore
from devtools.github_simulator.tokens import Grant

PAGE = "rest/search/search#search-issues-and-pull-requests"
INVALID_PAGE = "v3/search/"

MOST_CHARACTERS = 256
"""Of the words in a query; qualifiers do not count."""

_QUALIFIERS = frozenset({"is", "type", "state", "label", "author", "assignee", "in"})

_PLACES = frozenset({"repo", "org", "user"})
"""Qualifiers that say where to look. One of these has to fit; all others have to fit together."""

_KINDS = {"issue": "issue", "pr": "pr", "pull-request": "pr"}

_TERM = re.compile(r'(-?)(?:([a-z]+):)?("[^"]*"|\S+)')

_UNKNOWN_PLACES = (
    "The listed users and repositories cannot be searched either because the resources do not "
    "exist or you do not have permission to view them."
)
_UNKNOWN_USERS = (
    "The listed users cannot be searched either because the users do not exist or you do not "
    "have permission to view the users."
)

_ORDERS: Mapping[str, Callable[[Issue], tuple[float, int]]] = {
    "comments": lambda issue: (len(issue.comments), issue.id),
    "created": lambda issue: (issue.created_at.timestamp(), issue.id),
    "updated": lambda issue: (issue.updated_at.timestamp(), issue.id),
}


@dataclass(frozen=True, slots=True)
class Term:
    """A word, with qualifier "", or what a qualifier such as `label` has to be, in lower case."""

    qualifier: str
    value: str
    is_negated: bool = False

    @property
    def kind(self) -> str | None:
        """Which of issue and pr the term names, if that is its purpose."""
        return _KINDS.get(self.value) if self.qualifier in {"is", "type"} else None

    @property
    def asks_for_kind(self) -> bool:
        """Whether the term says that issues, or pull requests, are wanted."""
        return self.kind is not None and not self.is_negated

    def fits(self, issue: Issue, fields: str) -> bool:
        """Whether the term means an issue; words are looked for in its `fields`."""
        return self._means(issue, fields) is not self.is_negated

    def _means(self, issue: Issue, fields: str) -> bool:
        match self.qualifier:
            case "is" | "type" | "state":
                return (self.kind or self.value) in _states(issue)
            case "label":
                wanted = set(self.value.split(","))
                return not wanted.isdisjoint(label.name.lower() for label in issue.labels)
            case "author":
                return issue.author.login == self.value
            case "assignee":
                return self.value in {assignee.login for assignee in issue.assignees}
            case "repo":
                return issue.repository.full_name == self.value
            case "org" | "user":
                return issue.repository.owner.login == self.value
        return any(self.value in text.lower() for text in _texts(issue, fields))


@dataclass(frozen=True, slots=True)
class Search:
    """One search, by somebody who finds only what they may see."""

    store: RepositoryStore
    grant: Grant
    terms: tuple[Term, ...]

    def found(self, *, sort: str, order: str) -> list[Issue]:
        """Return what fits, the newest first unless asked otherwise.

        Raises ApiError for a query that GitHub refuses.
        """
        self._check()
        places = [term for term in self.terms if term.qualifier in _PLACES and not term.is_negated]
        issues = [
            issue
            for repository in self.store
            if repository.is_visible_to(self.grant)
            for issue in repository.issues.values()
            if not places or any(place.fits(issue, "") for place in places)
            if self._fits(issue)
        ]
        key = _ORDERS.get(sort, _ORDERS["created"])
        return sorted(issues, key=key, reverse=order != "asc")

    def _fits(self, issue: Issue) -> bool:
        """Whether all terms fit but those that say where to look.

        Of `is:issue is:pr` the last counts: no search finds both.
        """
        kind = [term for term in self.terms if term.asks_for_kind][-1]
        fields = " ".join(term.value for term in self.terms if term.qualifier == "in")
        return all(
            term.fits(issue, fields)
            for term in self.terms
            if term == kind or not term.asks_for_kind
            if term.qualifier != "in"
            if term.qualifier not in _PLACES or term.is_negated
        )

    def _check(self) -> None:
        if not any(term.asks_for_kind for term in self.terms):
            raise ApiError(422, "Query must include 'is:issue' or 'is:pull-request'", PAGE)
        words = " ".join(term.value for term in self.terms if not term.qualifier)
        if len(words) > MOST_CHARACTERS:
            raise _invalid(f"The search is longer than {MOST_CHARACTERS} characters.")
        places = [term for term in self.terms if term.qualifier in _PLACES]
        if places and not any(self._is_known_place(place) for place in places):
            raise _invalid(_UNKNOWN_PLACES)
        people = [term.value for term in self.terms if term.qualifier in {"author", "assignee"}]
        if not all(self.store.account(login) for login in people):
            raise _invalid(_UNKNOWN_USERS)

    def _is_known_place(self, place: Term) -> bool:
        if place.qualifier == "repo":
            return self.store.find(place.value, self.grant) is not None
        return self.store.account(place.value) is not None


def parse(query: str, login: str) -> tuple[Term, ...]:
    """Read the terms of a query; `@me` is `login`. A colon after another word is text."""
    terms = []
    for minus, word, value in _TERM.findall(query.lower()):
        text = value.strip('"').replace("@me", login)
        is_qualifier = word in _QUALIFIERS | _PLACES
        if word and not is_qualifier:
            text = f"{word}:{text}"
        terms.append(Term(word if is_qualifier else "", text, bool(minus)))
    if not terms:
        raise validation_failed(INVALID_PAGE, resource="Search", field="q", code="missing")
    return tuple(terms)


def _states(issue: Issue) -> set[str]:
    states = {issue.state, "private" if issue.repository.is_private else "public"}
    if issue.pull is None:
        return states | {"issue"}
    states |= {"pr", "merged" if issue.pull.merged_at else "unmerged"}
    return states | {"draft"} if issue.pull.draft else states


def _texts(issue: Issue, fields: str) -> list[str]:
    """Return where words are looked for: everywhere unless `fields` names title or body."""
    texts = {
        "title": [issue.title],
        "body": [issue.body or ""],
        "comments": [comment.body for comment in issue.comments],
    }
    wanted = fields.replace(",", " ").split() or list(texts)
    return [text for name in wanted for text in texts.get(name, [])]


def _invalid(message: str) -> ApiError:
    return validation_failed(
        INVALID_PAGE, message=message, resource="Search", field="q", code="invalid"
    )
