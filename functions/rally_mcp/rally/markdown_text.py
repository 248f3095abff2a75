"""Writes plain text and addresses so that Markdown takes them for just that."""

import re
from urllib.parse import quote

ATTACHMENT = re.compile(r"/slm/attachment/\d+(?:/(?!\.\.?$)[^/\\?#]*)?")
"""The address of a file in Rally, relative to Rally: all that may load by itself."""

_LINK = re.compile(r"(?:https?|mailto):", re.IGNORECASE)

_MARKUP = re.compile(
    r"\\(?=[!-/:-@\[-`{-~\s]|$)|[*`]|(?<![^\W_])_|_(?![^\W_])|~(?=~)|(?<=~)~"
    r"|!(?=\[)|\](?=[(\[:])|<(?=[a-zA-Z/!?])|&(?=#?\w+;)"
)
_MARKUP_IN_LINK = re.compile(rf"{_MARKUP.pattern}|[\[\]]")
_MARKUP_AT_START = re.compile(
    r"^((?:\d{1,9}(?=[.)]))?)"
    r"(#{1,6}(?:\s|$)|[>|]|\+(?:\s|$)|:?-+(?:[\s|:]|$)|=+\s*$|[.)](?:\s|$))"
)


def escaped(text: str, *, in_link: bool, starts_line: bool) -> str:
    """Return one line of text with a backslash before each sign that would be markup."""
    text = (_MARKUP_IN_LINK if in_link else _MARKUP).sub(r"\\\g<0>", text)
    return _MARKUP_AT_START.sub(r"\1\\\2", text) if starts_line else text


def safe_address(address: str) -> str:
    """Return the address as a link may have it; empty unless http, https, mailto or a file.

    What browsers skip in an address, white space and control characters, is gone.
    """
    shown = re.sub(r"[\s\x00-\x1f]", "", address)
    if not _LINK.match(shown) and not ATTACHMENT.fullmatch(shown):
        return ""
    return quote(shown, safe="!#$%&'*+,/:;=?@[]~")


def attachment_image(address: str, alt: str) -> str:
    """Return the Markdown of an image that is a file in Rally; empty for any other address."""
    if not ATTACHMENT.fullmatch(address):
        return ""
    return f"![{escaped(alt, in_link=True, starts_line=False)}]({quote(address, safe='/%')})"
