"""What a page looks like, measured in the browser: overflow, fonts, colours and their contrast."""

import re
from dataclasses import dataclass

from playwright.async_api import Page

LEAST_CONTRAST = 4.5
"""WCAG 2.2, success criterion 1.4.3."""

_TEXTS = """() => {
  const ground = element => {
    const colour = getComputedStyle(element).backgroundColor;
    const clear = colour === "rgba(0, 0, 0, 0)";
    return clear && element.parentElement ? ground(element.parentElement) : colour;
  };
  const speaks = node => node.nodeType === Node.TEXT_NODE && node.data.trim();
  return [...document.body.querySelectorAll("*")]
    .filter(element => [...element.childNodes].some(speaks))
    .map(element => ({
      words: element.textContent,
      colour: getComputedStyle(element).color,
      ground: ground(element),
    }));
}"""


@dataclass(frozen=True, slots=True)
class Text:
    """Words on a page, in CSS colours."""

    words: str
    colour: str
    ground: str

    @property
    def contrast(self) -> float:
        """The contrast ratio of WCAG 2.2, 1 to 21."""
        darker, lighter = sorted((_luminance(self.colour), _luminance(self.ground)))
        return (lighter + 0.05) / (darker + 0.05)


async def texts(page: Page) -> list[Text]:
    """Return every text of the page with its colours as they are now."""
    return [Text(**found) for found in await page.evaluate(_TEXTS)]


async def faint_texts(page: Page) -> list[Text]:
    """Return the texts that do not stand out enough."""
    return [text for text in await texts(page) if text.contrast < LEAST_CONTRAST]


async def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    return int(await page.evaluate("document.documentElement.scrollWidth - innerWidth"))


async def body_style(page: Page, name: str) -> str:
    """Return a CSS property of the body, as the browser computed it."""
    return str(await page.evaluate(f"getComputedStyle(document.body).{name}"))


def _luminance(colour: str) -> float:
    """Return the relative luminance of an opaque sRGB colour (WCAG 2.2)."""
    channels = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", colour)
    if channels is None:
        raise ValueError(f"not an opaque colour: {colour}")
    red, green, blue = (_linear(int(channel) / 255) for channel in channels.groups())
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
