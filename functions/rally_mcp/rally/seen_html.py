"""Reduces HTML to what a person sees of it, in the few tags that Markdown has a sign for.

nh3 makes a well-formed tree first, without scripts and comments; then one pass over that tree
drops what is not drawn and escapes, in the text, what Markdown would take for markup.
"""

import re
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from itertools import takewhile

from rally_mcp.rally.html_look import HIDING_PROPERTIES, Look
from rally_mcp.rally.markdown_text import attachment_image, escaped, safe_address

_MOST_TAGS = 1_500  # markdownify's time grows with the square of a list's length
_DEEPEST = 30  # markdownify recurses

# HTML reopens these in every block after one that left them open: 60 kB could become 100 MB.
# Under a name that HTML does not know they are elements like any other. A caption is renamed so
# that it moves out of its table.
_RENAMED = re.compile(
    r"(</?)(?=(?:a|b|big|caption|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?:[\s/>]|$))",
    re.IGNORECASE,
)
_ANY_TAG = re.compile(r"<([a-z][a-z0-9:_.-]*)(?=[\s/>])", re.IGNORECASE)
_NOT_DRAWN = {
    *("script", "style", "template", "title", "noscript", "noembed", "noframes", "iframe"),
    *("object", "svg", "math", "datalist", "audio", "video", "canvas"),
}
_RAW_OR_EMPTY = {
    *("xmp", "plaintext", "textarea", "area", "base", "basefont", "bgsound", "col", "embed"),
    *("frame", "input", "keygen", "link", "meta", "param", "source", "track", "wbr"),
}

_CELLS = {"th", "td"}
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_TABLE = {"table", "tr"} | _CELLS
_BLOCKS = {"p", "div", "blockquote", "pre", "ul", "ol", "li"} | _HEADINGS | _TABLE
_LISTS = {("ul",), ("ol",)}
_BARE_TEXT_ONLY = {("pre",), ("code",)} | _LISTS
_SIGNS = {"b", "i", "s", "code"}
_INLINE = _SIGNS | {"a"}
_WRITTEN_AS = {
    **{name: name for name in _BLOCKS | _INLINE},
    "strong": "b",
    **dict.fromkeys(("em", "cite", "var", "dfn"), "i"),
    **dict.fromkeys(("strike", "del"), "s"),
    **dict.fromkeys(("kbd", "samp", "tt"), "code"),
    **dict.fromkeys(("caption", "dt", "dd", "summary", "figcaption", "legend"), "p"),
    **dict.fromkeys(("section", "article", "header", "footer", "main", "aside", "nav"), "div"),
    **dict.fromkeys(("address", "center", "details", "fieldset", "figure", "form", "dl"), "div"),
}

_FENCE = re.compile(r"^ {0,3}(?=```)", re.MULTILINE)  # would end the code block around it


def seen_html(html: str) -> str:
    """Return balanced HTML, without attributes other than `href` and `start`, for markdownify.

    Attachment images are Markdown already, other images their alternative text.
    """
    page = _Page()
    page.feed(_well_formed(html))
    return page.finish()


def _well_formed(html: str) -> str:
    """Every element that may carry a style stays, so that hidden text can be told."""
    import nh3

    renamed = _RENAMED.sub(r"\1x-", html)
    names = {name.lower() for name in _ANY_TAG.findall(renamed)}
    return nh3.clean(
        renamed,
        tags=names - _NOT_DRAWN - _RAW_OR_EMPTY,
        clean_content_tags=_NOT_DRAWN,
        attributes={
            "*": {"style", "hidden", "color", "bgcolor"},
            "x-a": {"href"},
            "img": {"src", "alt", "width", "height"},
            "ol": {"start"},
        },
        attribute_filter=lambda _tag, name, value: value.lower() if name == "style" else value,
        filter_style_properties=HIDING_PROPERTIES,
        link_rel=None,
    )


@dataclass(frozen=True, slots=True)
class _Element:
    """An open element: the tag it is written as, if any, and the written tags up to it."""

    tag: str
    start: str
    inside: tuple[str, ...]
    look: Look
    is_block: bool


class _Page(HTMLParser):
    """Writes the seen part of well-formed HTML.

    Tags wait until there is text for them, and text gathers until a tag is written: empty
    elements vanish, and no dropped element stands between two characters that are markup
    together, such as `]` and `(`.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open = [_Element("", "", (), Look(), is_block=True)]
        self._waiting: list[_Element] = []
        self._written: list[str] = []
        self._text = ""
        self._starts_line = True
        self._tags_left = _MOST_TAGS

    def finish(self) -> str:
        self.close()
        self._write_text()
        return "".join(self._written)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name = tag.removeprefix("x-")
        attributes = {key: value or "" for key, value in attrs}
        parent = self._open[-1]
        look = parent.look.within(attributes) if attributes else parent.look
        if name == "img":
            self._image(attributes, look)
        elif name in {"br", "hr"}:
            self._line(name, look)
        else:
            self._enter(name, attributes, look)

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - well-formed: it ends the last one
        if self._open[-1].tag and not self._waiting:
            self._write_text()
            element = self._open.pop()
            self._write(f"</{element.tag}>", starts_line=element.is_block)
            return
        element = self._open.pop()
        if element.tag:
            self._waiting.pop()
        if element.is_block:
            self._part()

    def handle_data(self, data: str) -> None:
        if not self._open[-1].look.is_hidden:
            self._say(data)

    def _enter(self, name: str, attributes: dict[str, str], look: Look) -> None:
        around = self._open[-1].inside
        tag = self._written_tag(name, around)
        start = f"<{tag}>"
        if tag == "a":
            address = safe_address(attributes.get("href", ""))
            tag, start = ("a", f'<a href="{escape(address)}">') if address else ("", "")
        elif tag == "ol" and attributes.get("start", "").isdecimal():
            start = f'<ol start="{attributes["start"][:9]}">'
        is_block = _WRITTEN_AS.get(name) in _BLOCKS
        if is_block:
            self._part()
        element = _Element(tag, start, (*around, tag) if tag else around, look, is_block)
        self._open.append(element)
        if tag:
            self._waiting.append(element)
        if tag in _CELLS and not look.is_hidden:
            self._write_waiting()

    def _written_tag(self, name: str, around: tuple[str, ...]) -> str:
        """The tag that Markdown can have here for an element of this name, or an empty string."""
        tag = _WRITTEN_AS.get(name, "")
        in_line_only = not _HEADINGS.isdisjoint(around) or not _INLINE.isdisjoint(around)
        in_cell = not _CELLS.isdisjoint(around)
        in_list = around[-1:] in _LISTS
        if tag == "pre" and in_cell:
            tag = "code"
        if tag == "li" and not in_list:
            tag = "div"
        out_of_place = (
            not {"pre", "code"}.isdisjoint(around)
            or (tag in _BLOCKS and in_line_only)
            or (tag in _TABLE and in_cell)
            or (tag in _INLINE and tag in around)
            or (in_list and tag not in {"li", "ul", "ol"})
        )
        too_much = self._tags_left <= 0 or len(around) >= _DEEPEST
        return "" if out_of_place or too_much else tag

    def _image(self, attributes: dict[str, str], look: Look) -> None:
        address, alt = attributes.get("src", ""), " ".join(attributes.get("alt", "").split())
        inside = self._open[-1].inside
        is_tracker = any(
            re.fullmatch(r"[01](px)?", attributes.get(side, "").strip())
            for side in ("width", "height")
        )
        if look.is_hidden or is_tracker:
            return
        image = attachment_image(address, alt)
        if not image or inside[-1:] in _BARE_TEXT_ONLY:
            self._say(alt)
            return
        self._write_waiting()
        self._write_text()
        self._write(escape(image, quote=False), starts_line=False)

    def _line(self, name: str, look: Look) -> None:
        """End the line: inline elements close before it, and open again with the next text."""
        if look.is_hidden:
            return
        inside = self._open[-1].inside
        if "pre" in inside or self._tags_left <= 0:
            self._text += "\n"
            return
        self._write_text()
        tagged = [element for element in self._open if element.tag]
        inline = list(takewhile(lambda element: element.tag in _INLINE, reversed(tagged)))
        to_close = [element for element in inline if element not in self._waiting]
        self._waiting = [element for element in self._waiting if element not in inline]
        self._write_waiting()
        for element in to_close:
            self._write(f"</{element.tag}>", starts_line=False)
        can_rule = not inline and (_CELLS | _HEADINGS).isdisjoint(inside)
        self._write("<hr>" if name == "hr" and can_rule else "<br>", starts_line=True)
        self._waiting = inline[::-1]

    def _part(self) -> None:
        """Keep words apart where a block begins or ends without a tag of its own."""
        inside = self._open[-1].inside
        if inside and inside[-1] in _INLINE:
            self._line("br", self._open[-1].look)
        else:
            self._text += "\n" if "pre" in inside else " "

    def _say(self, text: str) -> None:
        in_pre = "pre" in self._open[-1].inside
        text = (
            re.sub(r"\r\n?", "\n", text.replace("\xa0", " "))
            if in_pre
            else re.sub(r"\s+", " ", text)
        )
        if in_pre or text.strip():
            self._write_waiting()
        if self._open[-1].inside[-1:] in _LISTS and text.strip() and self._tags_left > 0:
            self._item(text)
        else:
            self._text += text

    def _item(self, text: str) -> None:
        """Text in a list but in no item of it is drawn as one, and so is it written."""
        self._write_text()
        item = escape(escaped(text.strip(), in_link=False, starts_line=True), quote=False)
        self._write(f"<li>{item}</li>", starts_line=True)
        self._tags_left -= 1

    def _write_waiting(self) -> None:
        if not self._waiting:
            return
        first = self._waiting[0]
        self._write_text(before=first.tag)
        if first.tag in _SIGNS and self._written[-1:] == [f"</{first.tag}>"]:
            self._written.pop()  # two bold runs in a row are one: Markdown cannot part them
            self._waiting.pop(0)
        for element in self._waiting:
            self._write(element.start, starts_line=element.is_block)
        self._tags_left -= len(self._waiting)
        self._waiting = []

    def _write_text(self, before: str = "") -> None:
        text, self._text = self._text, ""
        inside = self._open[-1].inside
        inside = inside[: len(inside) - len(self._waiting)]
        if "pre" not in inside and self._starts_line:
            text = text.lstrip()
        if not text:
            return
        if "pre" in inside:
            text = _FENCE.sub("    ", text)
        elif "code" not in inside:
            text = escaped(text, in_link="a" in inside, starts_line=self._starts_line)
            if before == "a" and text.endswith("!"):
                text = rf"{text[:-1]}\!"
        if not _CELLS.isdisjoint(inside):
            text = text.replace("|", r"\|")
        self._write(escape(text, quote=False), starts_line=False)

    def _write(self, html: str, *, starts_line: bool) -> None:
        self._written.append(html)
        self._starts_line = starts_line
