"""GitHub's two OAuth endpoints: the consent page, and the token endpoint with its quirks."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from devtools.github_simulator import scopes
from devtools.github_simulator.errors import DOCS, JSON_TYPE, TokenRefused
from devtools.github_simulator.pages import consent_page
from devtools.github_simulator.redirect_uris import is_registered
from devtools.github_simulator.stats import Stats
from devtools.github_simulator.tokens import (
    Authorization,
    TokenStore,
    redirect_uri_mismatch,
)
from devtools.simulation.oauth import ALLOW, RegisteredClient, redirect_to_client
from devtools.simulation.pages import error_page

AUTHORIZE_PARAMETERS = (
    "client_id",
    "redirect_uri",
    "state",
    "scope",
    "code_challenge",
    "code_challenge_method",
)
REFUSALS = {
    "access_denied": "The user has denied your application access.",
    "redirect_uri_mismatch": (
        "The redirect_uri MUST match the registered callback URL for this application."
    ),
    "invalid_request": "code_challenge_method must be S256.",
}

_ERRORS_PAGE = f"{DOCS}/apps/managing-oauth-apps/troubleshooting-authorization-request-errors/"
_TOKEN_ERRORS = "troubleshooting-oauth-app-access-token-request-errors/"  # noqa: S105 - a page


@dataclass(frozen=True, slots=True)
class OAuthEndpoints:
    """Both endpoints, over the tokens they issue. `users` are those who can sign in."""

    tokens: TokenStore
    stats: Stats
    clients: Mapping[str, RegisteredClient]
    users: tuple[str, ...]
    auto_consent: str | None

    async def authorize(self, request: Request) -> Response:
        """GET shows the consent page, or redirects at once with auto-consent; POST decides."""
        form = await request.form() if request.method == "POST" else None
        source: Mapping[str, object] = request.query_params if form is None else form
        parameters = {name: str(source.get(name, "")) for name in AUTHORIZE_PARAMETERS}
        client = self.clients.get(parameters["client_id"])
        if client is None or not client.redirect_uris:
            return HTMLResponse(error_page("There is no application with this client_id."), 404)
        consent = _Consent(parameters, parameters["redirect_uri"] or client.redirect_uris[0])
        if not is_registered(consent.redirect_uri, client.redirect_uris):
            at_home = _Consent(parameters, client.redirect_uris[0])
            return at_home.refused("redirect_uri_mismatch")
        if consent["code_challenge"] and consent["code_challenge_method"] != "S256":
            return consent.refused("invalid_request")
        if form is not None:
            return self._decided(consent, str(form.get("user")), str(form.get("decision")))
        if self.auto_consent:
            return self._decided(consent, self.auto_consent, ALLOW)
        return HTMLResponse(consent_page(parameters, self.users))

    async def token(self, request: Request) -> Response:
        """Exchange a code or a refresh token. Errors have status 200, as at GitHub."""
        try:
            document = self._exchange(await _token_parameters(request))
        except TokenRefused as refused:
            self.stats.refused_token_requests += 1
            document = dict(refused.document)
        headers = {"Cache-Control": "no-store"}
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse(document, headers=headers, media_type=JSON_TYPE)
        return Response(
            urlencode(document), headers=headers, media_type="application/x-www-form-urlencoded"
        )

    def _decided(self, consent: "_Consent", user: str, decision: str) -> Response:
        if decision != ALLOW:
            return consent.refused("access_denied")
        if user not in self.users:
            return HTMLResponse(error_page("Unknown user"), 400)
        self.stats.authorizations += 1
        authorization = Authorization(
            user=user,
            client_id=consent["client_id"],
            redirect_uri=consent.redirect_uri,
            code_challenge=consent["code_challenge"],
            scopes=scopes.normalized(consent["scope"]),
        )
        return consent.redirect(code=self.tokens.issue_code(authorization))

    def _exchange(self, parameters: Mapping[str, str]) -> dict[str, object]:
        client = self.clients.get(parameters.get("client_id", ""))
        if client is None or not client.has_secret(parameters.get("client_secret", "")):
            raise TokenRefused(
                "incorrect_client_credentials",
                "The client_id and/or client_secret passed are incorrect.",
                f"{_TOKEN_ERRORS}#incorrect-client-credentials",
            )
        match parameters.get("grant_type", "authorization_code"):
            case "authorization_code":
                document = self._redeemed(client, parameters)
            case "refresh_token":
                refresh_token = parameters.get("refresh_token", "")
                document = self.tokens.refresh(refresh_token, client.client_id)
                self.stats.refreshes += 1
            case _:
                raise TokenRefused(
                    "unsupported_grant_type", "The grant_type is not supported.", _TOKEN_ERRORS
                )
        return document

    def _redeemed(
        self, client: RegisteredClient, parameters: Mapping[str, str]
    ) -> dict[str, object]:
        redirect_uri = parameters.get("redirect_uri", "")
        if redirect_uri and not is_registered(redirect_uri, client.redirect_uris):
            raise redirect_uri_mismatch()
        document = self.tokens.redeem_code(
            parameters.get("code", ""),
            client.client_id,
            redirect_uri,
            parameters.get("code_verifier", ""),
        )
        self.stats.code_exchanges += 1
        return document


@dataclass(frozen=True, slots=True)
class _Consent:
    """The parameters of an authorization request, "" where one is missing."""

    parameters: Mapping[str, str]
    redirect_uri: str

    def __getitem__(self, name: str) -> str:
        return self.parameters[name]

    def redirect(self, **answer: str) -> Response:
        """Send the browser back to the client, with the state as it came."""
        return redirect_to_client(self.redirect_uri, self["state"], answer)

    def refused(self, error: str) -> Response:
        """Send the browser back with an error, its text and its page."""
        error_uri = f"{_ERRORS_PAGE}#{error.replace('_', '-')}"
        return self.redirect(error=error, error_description=REFUSALS[error], error_uri=error_uri)


async def _token_parameters(request: Request) -> dict[str, str]:
    """Read the parameters: GitHub takes them from the query, a form or a JSON object."""
    parameters: dict[str, object] = dict(request.query_params)
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            document = json.loads(await request.body())
        except ValueError:
            document = None
        parameters |= document if isinstance(document, dict) else {}
    else:
        parameters |= await request.form()
    return {str(name): str(value) for name, value in parameters.items()}
