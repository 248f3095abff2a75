"""The upstreams as one caller reaches them. Implements tools.context.Upstreams.

A person reaches them with the tokens of the own sign-in, a machine client with its Rally API key,
and both reach YATA with the deployment's account.
"""

from dataclasses import dataclass, field, replace
from typing import NoReturn

from rally_mcp.access_tokens import AccessToken, AccessTokens
from rally_mcp.bootstrap.mcp_endpoint import McpEndpoint
from rally_mcp.errors import PermissionDenied
from rally_mcp.github.client import GitHubClient
from rally_mcp.identity_providers.declaration import ServiceAccount
from rally_mcp.rally.api_key import ApiKey
from rally_mcp.rally.client import RallyClient
from rally_mcp.rally.wsapi import RallyServer, Wsapi
from rally_mcp.secret_store import SecretReference
from rally_mcp.sign_in.credentials import Credential, SeenRecord
from rally_mcp.sign_in.service_credential import ServiceCredential
from rally_mcp.web.credential import Caller
from rally_mcp.yata.client import YataClient


@dataclass(slots=True)
class CallerUpstreams:
    """Makes the clients that a tool asks for; nothing is read before one of them is used."""

    services: McpEndpoint
    caller: Caller
    credentials: dict[str, Credential] = field(default_factory=dict)
    seen: SeenRecord = field(default_factory=SeenRecord)

    def __post_init__(self) -> None:
        """Begin with what recognising the caller has read."""
        self.seen.record = self.caller.record

    def user_name(self) -> str | None:
        """Return the names of the users whose tokens were opened."""
        names = (credential.user_name for credential in self.credentials.values())
        return ", ".join(dict.fromkeys(name for name in names if name)) or None

    @property
    def rally(self) -> RallyClient:
        """Rally, within the projects that the deployment allows."""
        server = self._rally_server
        if self.caller.principal is None:
            # Rally takes API keys in this header, whatever it takes OAuth access tokens in.
            with_key = replace(server, token_header="ZSESSIONID")  # noqa: S106 a header's name
            return RallyClient(Wsapi(with_key, self._rally_api_key()), server.projects)
        return RallyClient(Wsapi(server, self.credential("rally")), server.projects)

    @property
    def rally_url(self) -> str:
        """Rally's origin."""
        return self._rally_server.url

    @property
    def github(self) -> GitHubClient:
        """GitHub as the signed-in user."""
        if self.services.github is None:
            raise _not_here("GitHub")
        return GitHubClient(self.services.github, self.credential("github"))

    @property
    def entra_id(self) -> AccessTokens:
        """Microsoft Entra ID as the signed-in user."""
        return self.credential("entra_id")

    @property
    def yata(self) -> YataClient:
        """YATA with the deployment's account, for callers who may use it."""
        if self.services.yata is None:
            raise _not_here("YATA")
        shared = self.services.service_credentials["yata"]
        return YataClient(self.services.yata, _Shared(self, "yata", shared))

    def credential(self, name: str) -> Credential:
        """Return the person's own credential at an upstream. Raises PermissionDenied."""
        caller, provider = self.caller, self.services.providers.get(name)
        if provider is None:
            raise _not_here(name)
        if caller.principal is None:
            raise PermissionDenied(f"A machine client has no sign-in to {provider.title}.")
        if name not in self.credentials:
            self.credentials[name] = self.services.credentials.of(
                caller.principal, provider, self.seen
            )
        return self.credentials[name]

    @property
    def _rally_server(self) -> RallyServer:
        if self.services.rally is None:
            raise _not_here("Rally")
        return self.services.rally

    def _rally_api_key(self) -> ApiKey:
        reference = self.caller.machine.rally_api_key if self.caller.machine else ""
        parsed = SecretReference.parse(reference) if reference else None
        return ApiKey(self.services.secrets, parsed, self.caller.key)


@dataclass(frozen=True, slots=True)
class _Shared:
    """The deployment's own access token, for callers who showed who they are.

    Implements access_tokens.AccessTokens. A Session-ID alone shows nothing: anybody can make one.
    """

    upstreams: CallerUpstreams
    name: str
    credential: ServiceCredential

    async def current(self) -> AccessToken:
        """Return the token. Raises SignInRequired, or PermissionDenied where nobody signs in."""
        account = self.upstreams.services.upstreams[self.name]
        is_open = isinstance(account, ServiceAccount) and account.for_anyone
        if not is_open and self.upstreams.caller.principal is not None:
            await self._check_signed_in(account.title)
        return await self.credential.current()

    async def renewed(self, refused: AccessToken) -> AccessToken:
        """Return the token that replaced the refused one."""
        return await self.credential.renewed(refused)

    async def give_up(self, refused: AccessToken) -> NoReturn:
        """Raise UpstreamRejected."""
        await self.credential.give_up(refused)

    async def _check_signed_in(self, title: str) -> None:
        services, caller = self.upstreams.services, self.upstreams.caller
        vouching = [name for name, each in services.providers.items() if each.vouches]
        if not vouching:
            raise PermissionDenied(
                f"Nobody signs in here with an account that an organisation gave, so {title} is "
                "for machine clients alone; an administrator can add one, or set "
                f"{self.name.upper()}_CALLERS=anyone."
            )
        seen = self.upstreams.seen
        if seen.record is None and caller.principal:
            seen.record = await services.principals.get(caller.principal.key)
        record = seen.record
        signed_in_to = (name for name in vouching if record and record.upstream(name).active)
        name = next(signed_in_to, vouching[0])
        # Opened, and renewed where it is due: whoever lost the access there loses it here.
        await self.upstreams.credential(name).current()


def _not_here(title: str) -> PermissionDenied:
    return PermissionDenied(f"{title} is not behind this deployment; UPSTREAMS does not name it.")
