"""Tells whether HTML's own style hides a text from the people who look at it in Rally."""

import re
from dataclasses import dataclass

HIDING_PROPERTIES = {
    *("display", "visibility", "opacity", "font-size"),
    *("color", "background", "background-color"),
}
"""The CSS properties that `Look` reads, in lower case and free of comments."""

_WHITE = {"white", "#fff", "#ffffff", "rgb(255,255,255)", "rgba(255,255,255,1)"}
_NEAR_ZERO = re.compile(r"(?=[.\d])0*(\.0\d*)?[a-z%]*")
_TINY = re.compile(r"(?=[.\d])[01]?(\.\d+)?(px|pt)")


@dataclass(frozen=True, slots=True)
class Look:
    """How text is drawn; child elements inherit it. Rally's page is white."""

    is_gone: bool = False
    visibility: str = "visible"
    size: str = "medium"
    ink: str = "dark"
    ground: str = "white"

    @property
    def is_hidden(self) -> bool:
        """Whether nobody sees text that is drawn like this."""
        return (
            self.is_gone
            or self.visibility in {"hidden", "collapse"}
            or self.ink in {"transparent", self.ground}
            or any(size.fullmatch(self.size) for size in (_NEAR_ZERO, _TINY))
        )

    def within(self, attributes: dict[str, str]) -> "Look":
        """The look inside a child element with these attributes."""
        style = {"color": attributes.get("color", ""), "background": attributes.get("bgcolor", "")}
        for declaration in attributes.get("style", "").split(";"):
            name, _, value = declaration.partition(":")
            style[name.replace("-color", "")] = re.sub(r"\s|!.*", "", value)
        ink, ground = (
            "white" if style[name].lower() in _WHITE else style[name].lower()
            for name in ("color", "background")
        )
        return Look(
            is_gone=self.is_gone
            or "hidden" in attributes
            or style.get("display") == "none"
            or _NEAR_ZERO.fullmatch(style.get("opacity", "1")) is not None,
            visibility=style.get("visibility", self.visibility),
            size=style.get("font-size", self.size),
            ink=ink or self.ink,
            ground=ground.replace("transparent", "") or self.ground,
        )
