"""Turns Rally's HTML into Markdown for a model, and a model's Markdown into HTML for Rally.

What was read can be written back. The libraries take a quarter of a second to import: each is
imported where it is used, so that a cold start does not wait for them.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, NewType

from rally_mcp.errors import InvalidInput
from rally_mcp.rally.markdown_text import ATTACHMENT
from rally_mcp.rally.seen_html import seen_html

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

Markdown = NewType("Markdown", str)
"""Made by `html_to_markdown`: drawing it loads nothing foreign, yet what it says is people's."""

_RALLY_KEEPS = 32_768  # characters of a rich-text field, markup included
_MOST_READ = 40_000  # nh3's time grows with the square of the depth

_WRITABLE = {
    *("p", "br", "hr", "b", "i", "u", "s", "a", "img", "ul", "ol", "li", "blockquote", "pre"),
    *("code", "h1", "h2", "h3", "h4", "h5", "h6"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
_RALLY_TAG = {"strong": "b", "em": "i"}


def markdown_to_html(markdown: str) -> str:
    """Return the HTML for a rich-text field: tags of Rally's editor, single line ends kept.

    Raw HTML in the Markdown is text. Links keep http, https, mailto and Rally's attachments;
    images only attachments, others become links. Raises InvalidInput for more than Rally keeps.
    """
    import nh3

    _check_length(markdown)
    parser = _markdown_parser()
    blocks = parser.parse(_encodable(markdown))
    for block in blocks:
        block.children = _for_rally(block.children or [])
    html = nh3.clean(
        parser.renderer.render(blocks, parser.options, {}),
        tags=_WRITABLE,
        attributes={"a": {"href"}, "img": {"src", "alt"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        url_relative=lambda url: url if ATTACHMENT.fullmatch(url) else None,
        link_rel=None,
    )
    _check_length(html)
    return html.strip()


def html_to_markdown(html: str) -> Markdown:
    """Return what a person sees of a rich-text field, as Markdown that loads nothing foreign.

    Left out: scripts, styles, comments, tracking images, and text hidden by display, visibility,
    opacity, a `hidden` attribute, a size near zero or its own background's colour. Images are
    their alternative text, Rally's attachments stay images. HTML beyond 40,000 characters, more
    than Rally keeps, is cut with a note.
    Not covered: text hidden by its position, by clipping, by a style sheet or by a size relative
    to a tiny one.
    """
    from markdownify import markdownify

    text: str = markdownify(
        f"<div>{seen_html(_encodable(html[:_MOST_READ]))}</div>",
        heading_style="ATX",
        bullets="-",
        escape_asterisks=False,
        escape_underscores=False,
        table_infer_header=True,
    )
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\n{4,}", "\n\n\n", text).strip("\n")
    if len(html) > _MOST_READ:
        text += f"\n\n[{len(html) - _MOST_READ:,} more characters of HTML were left out]"
    return Markdown(text)


def _check_length(text: str) -> None:
    if len(text) > _RALLY_KEEPS:
        raise InvalidInput(
            f"The text has {len(text):,} characters and Rally keeps {_RALLY_KEEPS:,}, "
            "markup included. Shorten it."
        )


@cache
def _markdown_parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "breaks": True})
    return parser.enable(["table", "strikethrough"])


def _for_rally(tokens: "Sequence[Token]") -> "list[Token]":
    """Rally's editor says b and i; a foreign image would tell its host about every reader."""
    from markdown_it.token import Token

    chosen: list[Token] = []
    for token in tokens:
        token.tag = _RALLY_TAG.get(token.tag, token.tag)
        source = str(token.attrGet("src"))
        if token.type != "image" or ATTACHMENT.fullmatch(source):
            chosen.append(token)
            continue
        alt = "".join(child.content for child in token.children or [])
        chosen.append(Token("link_open", "a", 1, attrs={"href": source}))
        chosen.append(Token("text", "", 0, content=alt or source))
        chosen.append(Token("link_close", "a", -1))
    return chosen


def _encodable(text: str) -> str:
    """Lone surrogates, which JSON can carry, stop every library that works on UTF-8."""
    return text.encode("utf-8", "replace").decode()
