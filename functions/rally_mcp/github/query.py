"""Builds the texts of a search of issues: what was asked for, bounded by our own qualifiers.

The query is GitHub's search syntax and stays as it was written: words, "exact words", qualifiers
such as `label:bug`, and OR. It is no border of what may be seen; the person's own access is.
"""

import re
from collections.abc import Sequence
from typing import Literal

from rally_mcp.errors import InvalidInput

_KINDS = {"issue": "is:issue", "pull_request": "is:pull-request"}

_QUOTED = re.compile(r'"[^"]*"')
_OR = re.compile(r"\bOR\b")
_NAMES_KIND = re.compile(r"(?<![\w-])(?:is|type):(?:issue|pr|pull-request)\b", re.IGNORECASE)


def search_texts(
    query: str,
    repository: str | None = None,
    kind: Literal["any", "issue", "pull_request"] = "any",
    state: Literal["any", "open", "closed"] = "any",
) -> Sequence[str]:
    """Return the searches that together find this: GitHub searches for one kind at a time.

    Our qualifiers stand in front, where nothing in the query can swallow them, and a query with
    OR in parentheses, so that they hold for all of its alternatives. Raises InvalidInput for a
    quotation or parenthesis that is left open.
    """
    words = _QUOTED.sub("", query)
    if '"' in words:
        raise InvalidInput("The query has a quotation mark without its second. Add or drop it.")
    if _OR.search(words):
        if not _is_balanced(words):
            raise InvalidInput("The query has a parenthesis without its second. Add or drop it.")
        query = f"({query})"
    bounds = [f"repo:{repository}"] if repository else []
    bounds += [] if state == "any" else [f"state:{state}"]
    if kind != "any":
        kinds = [_KINDS[kind]]
    else:
        kinds = [""] if _NAMES_KIND.search(words) else list(_KINDS.values())
    return [" ".join(filter(None, (*bounds, named, query))) for named in kinds]


def _is_balanced(words: str) -> bool:
    depth = 0
    for sign in re.findall(r"[()]", words):
        depth += 1 if sign == "(" else -1
        if depth < 0:
            return False
    return depth == 0
