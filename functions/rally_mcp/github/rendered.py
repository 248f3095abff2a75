"""Turns GitHub's Markdown into the HTML that its pages are made of, so far as people see it.

Comments, link definitions and attributes can hide text from people that a model would read. In
HTML they can be told from what is drawn.
"""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt


def markdown_to_seen_html(markdown: str) -> str:
    """Return HTML in which the Markdown's own HTML stands as it was written: not safe to show."""
    html: str = _parser().render(markdown)
    return html


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True, "breaks": True})
    return parser.enable(["table", "strikethrough"])
