"""Rally's two OAuth endpoints: the consent page at /login/oauth2/auth, and the token endpoint."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from devtools.rally_simulator.errors import TokenRefused
from devtools.rally_simulator.pages import consent_page
from devtools.rally_simulator.stats import Stats
from devtools.rally_simulator.tokens import Authorization, TokenStore
from devtools.simulation.oauth import ALLOW, RegisteredClient, redirect_to_client
from devtools.simulation.pages import error_page

AUTHORIZE_PARAMETERS = (
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "scope",
    "code_challenge",
    "code_challenge_method",
)


@dataclass(frozen=True, slots=True)
class OAuthEndpoints:
    """Both endpoints, over the tokens they issue. `users` are those who can sign in."""

    tokens: TokenStore
    stats: Stats
    clients: Mapping[str, RegisteredClient]
    users: tuple[str, ...]
    auto_consent: str | None
    enforce_pkce: bool

    async def authorize(self, request: Request) -> Response:
        """GET shows the consent page, or redirects at once with auto-consent; POST decides."""
        form = await request.form() if request.method == "POST" else None
        source: Mapping[str, object] = request.query_params if form is None else form
        consent = _Consent({name: str(source.get(name, "")) for name in AUTHORIZE_PARAMETERS})
        client = self.clients.get(consent["client_id"])
        if client is None or consent["redirect_uri"] not in client.redirect_uris:
            return HTMLResponse(error_page("Unknown client_id or redirect_uri"), 400)
        problem = self._problem(consent)
        if problem:
            return consent.redirect(error=problem)
        if form is not None:
            return self._decided(consent, str(form.get("user")), str(form.get("decision")))
        if self.auto_consent:
            return self._decided(consent, self.auto_consent, ALLOW)
        return HTMLResponse(consent_page(consent.parameters, self.users))

    async def token(self, request: Request) -> Response:
        """Exchange a code or a refresh token, sent as a form or as JSON."""
        try:
            document = self._exchange(await _token_parameters(request))
        except TokenRefused as refused:
            self.stats.refused_token_requests += 1
            body = {
                "client_id": None,
                "client_secret": None,
                "error_description": refused.description,
                "error": refused.error,
            }
            return JSONResponse(body, 401 if refused.error == "invalid_client" else 400)
        return JSONResponse(document, headers={"Cache-Control": "no-store"})

    def _problem(self, consent: "_Consent") -> str:
        if consent["response_type"] != "code":
            return "unsupported_response_type"
        uses_s256 = consent["code_challenge"] and consent["code_challenge_method"] == "S256"
        return "invalid_request" if self.enforce_pkce and not uses_s256 else ""

    def _decided(self, consent: "_Consent", user: str, decision: str) -> Response:
        if decision != ALLOW:
            return consent.redirect(error="access_denied")
        if user not in self.users:
            return HTMLResponse(error_page("Unknown user"), 400)
        self.stats.authorizations += 1
        authorization = Authorization(
            user, consent["client_id"], consent["redirect_uri"], consent["code_challenge"]
        )
        return consent.redirect(code=self.tokens.issue_code(authorization))

    def _exchange(self, parameters: Mapping[str, str]) -> dict[str, object]:
        client = self.clients.get(parameters.get("client_id", ""))
        if client is None or not client.has_secret(parameters.get("client_secret", "")):
            raise TokenRefused("invalid_client", "Invalid client_id or client_secret")
        match parameters.get("grant_type"):
            case "authorization_code":
                document = self.tokens.redeem_code(
                    parameters.get("code", ""),
                    client.client_id,
                    parameters.get("redirect_uri", ""),
                    parameters.get("code_verifier", ""),
                )
                self.stats.code_exchanges += 1
            case "refresh_token":
                refresh_token = parameters.get("refresh_token", "")
                document = self.tokens.refresh(refresh_token, client.client_id)
                self.stats.refreshes += 1
            case _:
                raise TokenRefused(
                    "unsupported_grant_type",
                    "Invalid value for grant_type params - must be authorization_code",
                )
        return document


@dataclass(frozen=True, slots=True)
class _Consent:
    """The parameters of an authorization request, "" where one is missing."""

    parameters: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.parameters[name]

    def redirect(self, **answer: str) -> Response:
        """Send the browser back to the client, with the state as it came."""
        return redirect_to_client(self["redirect_uri"], self["state"], answer)


async def _token_parameters(request: Request) -> Mapping[str, str]:
    if not request.headers.get("content-type", "").startswith("application/json"):
        return {name: str(value) for name, value in (await request.form()).items()}
    try:
        document = json.loads(await request.body())
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise TokenRefused("invalid_request", "The body is not a JSON object")
    return {str(name): str(value) for name, value in document.items()}
