"""The parts of oauth_callback."""

from dataclasses import dataclass

from rally_mcp.bootstrap.foundations import Foundations
from rally_mcp.identity_providers.token_endpoint import TokenEndpoint
from rally_mcp.sign_in.browser_return import BrowserReturn
from rally_mcp.sign_in.completion import SignInCompletion


@dataclass(frozen=True, slots=True)
class OAuthCallback:
    """The parts of oauth_callback."""

    completion: SignInCompletion


def oauth_callback(base: Foundations) -> OAuthCallback:
    """Wire oauth_callback."""
    return OAuthCallback(
        SignInCompletion(
            states=base.states,
            principals=base.principals,
            browser_return=BrowserReturn(base.principals, base.clock),
            token_endpoint=TokenEndpoint(base.http, base.secrets, base.clock),
            http=base.http,
            clock=base.clock,
            code_expected=base.settings.sign_in_confirmation == "code",
        )
    )
