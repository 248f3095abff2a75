"""The authorization endpoint: the sign-in page, the decision, and the way back to the client."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from devtools.entra_simulator.directory import USERS, Directory
from devtools.entra_simulator.discovery import origin_of
from devtools.entra_simulator.errors import Refused, client_not_found, resource_not_supported
from devtools.entra_simulator.pages import consent_page
from devtools.entra_simulator.scopes import parse_scope
from devtools.entra_simulator.stats import Stats
from devtools.entra_simulator.tokens import Grant, TokenStore
from devtools.simulation.oauth import ALLOW, RegisteredClient, redirect_to_client

PARAMETERS = (
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "response_mode",
    "code_challenge",
    "code_challenge_method",
)

_CHALLENGE_LENGTHS = range(43, 129)


@dataclass(frozen=True, slots=True)
class AuthorizationEndpoint:
    """`/{tenant}/oauth2/v2.0/authorize`, over the codes that it issues.

    Raises Refused where the browser must not be sent anywhere: that is for a page.
    """

    tenant: str
    tokens: TokenStore
    directory: Directory
    stats: Stats
    clients: Mapping[str, RegisteredClient]
    auto_consent: str | None

    async def answer(self, request: Request) -> Response:
        """GET shows the sign-in page, or redirects at once with auto-consent; POST decides."""
        form = await request.form() if request.method == "POST" else None
        source: Mapping[str, object] = request.query_params if form is None else form
        if "resource" in source or "resource" in request.query_params:
            raise resource_not_supported()
        wanted = _AuthorizationRequest({name: str(source.get(name, "")) for name in PARAMETERS})
        self._check_client(wanted)
        try:
            scopes = wanted.check()
            if form is not None:
                _check_decision(form.get("decision"))
        except Refused as refused:
            return wanted.redirect(**self._error(refused, request))
        if form is not None or self.auto_consent:
            user = self.auto_consent if form is None else str(form.get("user"))
            return self._signed_in(wanted, scopes, str(user))
        return HTMLResponse(consent_page(request.url.path, wanted.parameters, USERS))

    def _check_client(self, wanted: "_AuthorizationRequest") -> None:
        client = self.clients.get(wanted["client_id"])
        if client is None:
            raise client_not_found(wanted["client_id"], self.tenant)
        if wanted["redirect_uri"] not in client.redirect_uris:
            raise Refused(
                "invalid_request",
                50011,
                f"The redirect URI '{wanted['redirect_uri']}' specified in the request does not "
                f"match the redirect URIs configured for the application '{client.client_id}'.",
            )

    def _signed_in(
        self, wanted: "_AuthorizationRequest", scopes: tuple[str, ...], user: str
    ) -> Response:
        if user not in USERS:
            raise Refused("invalid_request", 50034, f"The user account {user} does not exist.")
        generation = self.directory.sign_in(user)
        self.stats.authorizations += 1
        grant = Grant(
            user=user,
            client_id=wanted["client_id"],
            redirect_uri=wanted["redirect_uri"],
            scopes=scopes,
            nonce=wanted["nonce"],
            code_challenge=wanted["code_challenge"],
            generation=generation,
        )
        # session_state is OpenID Connect Session Management's; Entra always sends one.
        return wanted.redirect(code=self.tokens.issue_code(grant), session_state=str(uuid.uuid4()))

    def _error(self, refused: Refused, request: Request) -> dict[str, str]:
        document = refused.document(origin_of(request), self.tokens.clock())
        return {name: str(document[name]) for name in ("error", "error_description", "error_uri")}


@dataclass(frozen=True, slots=True)
class _AuthorizationRequest:
    """The parameters of an authorization request, "" where one is missing."""

    parameters: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.parameters[name]

    def check(self) -> tuple[str, ...]:
        """Return the scopes. Raises Refused with what the client is to be told."""
        if self["response_type"] != "code":
            raise Refused(
                "unsupported_response_type",
                700054,
                f"response_type '{self['response_type']}' is not enabled for the application.",
            )
        if self["response_mode"] not in {"", "query"}:
            raise Refused("invalid_request", 70007, "The response_mode is not supported.")
        if self["code_challenge"] or self["code_challenge_method"]:
            self._check_code_challenge()
        return parse_scope(self["scope"])

    def _check_code_challenge(self) -> None:
        """Demand S256, though Entra takes `plain` too, so that nobody comes to rely on that."""
        if self["code_challenge_method"] != "S256":
            raise Refused("invalid_request", 50149, "Invalid Code_Challenge_method parameter.")
        if len(self["code_challenge"]) not in _CHALLENGE_LENGTHS:
            raise Refused("invalid_request", 501491, "Invalid size of Code_Challenge parameter.")

    def redirect(self, **answer: str) -> Response:
        """Send the browser back to the client, with the state as it came."""
        return redirect_to_client(self["redirect_uri"], self["state"], answer)


def _check_decision(decision: object) -> None:
    if decision != ALLOW:
        raise Refused("access_denied", 65004, "User declined to consent to access the app.")
