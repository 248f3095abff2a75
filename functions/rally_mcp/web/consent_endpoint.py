"""/authorize for a person's browser: the consent page, the decision, and the way back.

Nothing is sent to a client before its redirect URI is known to be its own; until then the person
gets a page. Redirects out of here carry a code or an error, never anything of the upstream.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rally_mcp import audit
from rally_mcp.audit import AuditEvent
from rally_mcp.authorization_server import redirect_uris
from rally_mcp.authorization_server.authorization import (
    AuthorizationRefused,
    AuthorizationRequest,
    AuthorizationRequests,
    Parameters,
)
from rally_mcp.authorization_server.bearer_secrets import is_grant_id
from rally_mcp.authorization_server.code_release import CodeRelease
from rally_mcp.authorization_server.consent import (
    CONSENT_TTL,
    ConsentForm,
    Consents,
    refused_consent,
)
from rally_mcp.crypto import RecordKey
from rally_mcp.errors import InvalidInput, OAuthError
from rally_mcp.web import browser
from rally_mcp.web.body import read_form
from rally_mcp.web.consent_page import consent_page
from rally_mcp.web.own_origin import OwnOrigin
from rally_mcp.web.request_limits import RequestLimits
from rally_mcp.web.responses import method_not_allowed

_FORM_FIELDS = {"grant", "proof", "decision"}
"""Fields of the consent form that are no parameters of the authorization request."""


@dataclass(frozen=True, slots=True)
class ConsentEndpoint:
    """Shows consent pages and takes decisions."""

    requests: AuthorizationRequests
    consents: Consents
    release: CodeRelease
    limits: RequestLimits
    auth_url: str
    permissions: Mapping[str, str]
    chain_urls: tuple[str, ...]
    """Where the browser is sent between the form and the client, in this deployment."""

    async def authorize(self, request: Request) -> Response:
        """Show the consent page (GET), or take what the person decided (POST)."""
        if request.method not in {"GET", "POST"}:
            raise method_not_allowed("GET, POST")
        self.limits.consent_pages.take(self.limits.address_of(request))
        try:
            if request.method == "GET":
                return await self._show(request)
            return await self._decide(request)
        except AuthorizationRefused as refused:
            status = 302 if request.method == "GET" else 303
            return _onwards(self.requests.refusal_address(refused), status)

    async def complete(self, request: Request) -> Response:
        """Release the authorization code to the browser that consented."""
        browser.get_only(request)
        ticket = browser.parameters(request).get("ticket", "")
        completed: list[RecordKey] = []

        def cookie_of(grant_id: RecordKey) -> str | None:
            completed.append(grant_id)
            return request.cookies.get(self._cookie(grant_id))

        released = await self.release.complete(ticket, cookie_of)
        address = self.requests.response_address(
            released.redirect_uri, released.state, released.parameters
        )
        return self._without_cookie(_onwards(address, 302), completed[0])

    async def _show(self, request: Request) -> Response:
        authorization = await self.requests.read(request.query_params.multi_items())
        form = ConsentForm.new()
        fields = [
            *authorization.as_parameters(),
            ("grant", form.grant_id),
            ("proof", form.proof(authorization)),
        ]
        response = consent_page(
            authorization,
            provider=self.consents.provider,
            permissions=self.permissions,
            fields=fields,
            form_action=self._form_action(authorization),
        )
        return self._with_cookie(response, form)

    async def _decide(self, request: Request) -> Response:
        fields = await read_form(request)
        given = dict(fields)
        authorization = await self._shown(request, fields, given)
        form = self._form(request, given)
        if form is None:
            raise refused_consent(authorization.client.client_id)
        form.check(authorization, given.get("proof", ""))
        match given.get("decision"):
            case "allow":
                address = await self.consents.allow(form, authorization)
                # Again, because the sign-in at the upstream takes its own time.
                return self._with_cookie(_onwards(address, 303), form)
            case "deny":
                return self._denied(form, authorization)
            case _:
                raise InvalidInput("Press one of the two buttons of the consent page.")

    async def _shown(
        self, request: Request, fields: Parameters, given: dict[str, str]
    ) -> AuthorizationRequest:
        """Return the request that a form repeats, once nobody else can have sent the form."""
        site = request.headers.get("sec-fetch-site", "same-origin")
        origin = request.headers.get("origin", self.auth_url).lower()
        is_own = site == "same-origin" and origin in OwnOrigin.of(self.auth_url).origins
        if not is_own or len(given) != len(fields):
            raise refused_consent(None)
        return await self.requests.read([each for each in fields if each[0] not in _FORM_FIELDS])

    def _form(self, request: Request, given: dict[str, str]) -> ConsentForm | None:
        grant_id = RecordKey(given.get("grant", ""))
        cookie_secret = request.cookies.get(self._cookie(grant_id))
        if not cookie_secret or not is_grant_id(grant_id):
            return None
        return ConsentForm(grant_id, cookie_secret)

    def _denied(self, form: ConsentForm, authorization: AuthorizationRequest) -> Response:
        client_id = authorization.client.client_id
        audit.write(AuditEvent.CONSENT_DENIED, principal=None, client=client_id)
        error = OAuthError("access_denied", "The person did not allow it.")
        refused = AuthorizationRefused(error, authorization.redirect_uri, authorization.state)
        response = _onwards(self.requests.refusal_address(refused), 303)
        return self._without_cookie(response, form.grant_id)

    def _form_action(self, authorization: AuthorizationRequest) -> Sequence[str]:
        """Return what the form's redirect chain may pass: Chromium stops it anywhere else."""
        local = [redirect_uris.form_action_source(each) for each in self.chain_urls]
        return [
            "'self'",
            "https:",
            redirect_uris.form_action_source(authorization.redirect_uri),
            *(each for each in local if each.startswith("http:")),
        ]

    def _with_cookie(self, response: Response, form: ConsentForm) -> Response:
        response.set_cookie(
            self._cookie(form.grant_id),
            form.cookie_secret,
            max_age=int(CONSENT_TTL.total_seconds()),
            path="/",
            secure=self._is_https,
            httponly=True,
            samesite="lax",
        )
        return response

    def _without_cookie(self, response: Response, grant_id: RecordKey) -> Response:
        response.delete_cookie(
            self._cookie(grant_id), path="/", secure=self._is_https, httponly=True, samesite="lax"
        )
        return response

    def _cookie(self, grant_id: str) -> str:
        return f"{'__Host-' if self._is_https else ''}rmcp_{grant_id}"

    @property
    def _is_https(self) -> bool:
        return urlsplit(self.auth_url).scheme == "https"


def _onwards(address: str, status: int) -> Response:
    return RedirectResponse(address, status, headers=browser.REDIRECT_HEADERS)
