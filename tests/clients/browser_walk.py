"""A person at a browser without the browser: opens a sign-in link and reads the code at its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

MOST_STEPS = 20
"""Redirects and forms of one walk; a sign-in takes about six."""

CODE_ELEMENT = "confirmation-code"


class SignInStopped(Exception):
    """The walk ended on a page that shows no confirmation code."""


@dataclass(slots=True)
class Form:
    """A form as a browser would send it, were no button pressed."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """What the person sees in the end."""

    response: httpx.Response
    form: Form | None
    code: str

    @property
    def origin(self) -> str:
        """What a browser sends as `Origin` with a form of this page."""
        if self.response.headers.get("referrer-policy") == "no-referrer":
            return "null"
        url = self.response.url
        return f"{url.scheme}://{url.netloc.decode()}"


async def confirmation_code(auth_url: str, *, user: str = "ann") -> str:
    """Sign in as a user of the Rally simulator, in a new browser, and return the code shown.

    Raises SignInStopped where no page shows one.
    """
    page = await sign_in(auth_url, user=user)
    if not page.code:
        stopped_at = page.response.url.copy_with(query=None)
        raise SignInStopped(f"{page.response.status_code} at {stopped_at}: {page.response.text}")
    return page.code


async def sign_in(auth_url: str, *, user: str = "ann", decision: str = "allow") -> Page:
    """Open the link in a new browser, answer each form that comes up, and return the last page."""
    async with httpx.AsyncClient(headers={"Accept": "text/html"}, trust_env=False) as browser:
        return await walk(browser, auth_url, user=user, decision=decision)


async def walk(
    browser: httpx.AsyncClient,
    url: str,
    *,
    user: str = "ann",
    decision: str = "allow",
    stop_before: str | None = None,
) -> Page:
    """Follow redirects and answer forms from `url` on, and return the last page.

    With `stop_before` the walk ends at the redirect to an address that starts so.
    """
    page = read_page(await browser.get(url))
    for _ in range(MOST_STEPS):
        if page.response.has_redirect_location:
            location = page.response.headers["location"]
            if stop_before and location.startswith(stop_before):
                return page
            page = read_page(await browser.get(_target(page, location)))
        elif page.form:
            page = read_page(await _submit(browser, page, page.form, user, decision))
        else:
            return page
    raise SignInStopped(f"still on its way after {MOST_STEPS} steps, at {page.response.url}")


async def _submit(
    browser: httpx.AsyncClient, page: Page, form: Form, user: str, decision: str
) -> httpx.Response:
    answers = {"user": user} if "user" in form.fields else {}
    fields = form.fields | answers | {"decision": decision}
    return await browser.post(
        _target(page, form.action), data=fields, headers={"Origin": page.origin}
    )


def _target(page: Page, reference: str) -> httpx.URL:
    return page.response.url.join(reference)


def read_page(response: httpx.Response) -> Page:
    """Return a response with the form and the code that a person would see in it."""
    reader = _PageReader()
    reader.feed(response.text)
    return Page(response, reader.form, reader.code.strip())


class _PageReader(HTMLParser):
    """Keeps a page's last form and its confirmation code."""

    def __init__(self) -> None:
        super().__init__()
        self.form: Form | None = None
        self.code = ""
        self._code_tag = ""
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if attributes.get("id") == CODE_ELEMENT:
            self._code_tag = tag
        if tag == "form":
            self.form = Form(attributes.get("action", ""))
        elif tag == "select":
            self._select = attributes.get("name", "")
        elif self.form and tag == "option":
            self._read_option(self.form, attributes)
        elif self.form and tag == "input":
            self._read_input(self.form, attributes)

    def handle_data(self, data: str) -> None:
        if self._code_tag:
            self.code += data

    def handle_endtag(self, tag: str) -> None:
        if tag == self._code_tag:
            self._code_tag = ""

    def _read_option(self, form: Form, attributes: Mapping[str, str]) -> None:
        if "selected" in attributes or self._select not in form.fields:
            form.fields[self._select] = attributes.get("value", "")

    def _read_input(self, form: Form, attributes: Mapping[str, str]) -> None:
        name = attributes.get("name")
        kind = attributes.get("type", "text")
        chosen = kind not in {"radio", "checkbox"} or "checked" in attributes
        if name and kind != "submit" and (chosen or name not in form.fields):
            form.fields[name] = attributes.get("value", "")
