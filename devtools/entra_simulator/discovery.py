"""Where the endpoints are: the OpenID configuration, and the URLs that follow from the origin."""

from starlette.requests import Request


def origin_of(request: Request) -> str:
    """Return the scheme and host at which Entra was asked; every URL begins with it."""
    return str(request.base_url).rstrip("/")


def issuer_of(origin: str, tenant: str) -> str:
    """Return what id_tokens of a tenant have as `iss`."""
    return f"{origin}/{tenant}/v2.0"


def configuration(origin: str, tenant: str) -> dict[str, object]:
    """Write the OpenID configuration as Entra does: with the tenant's GUID, and no word of PKCE.

    What it names beyond authorization, token and keys is not simulated.
    """
    base = f"{origin}/{tenant}"
    return {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
            "self_signed_tls_client_auth",
        ],
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer_of(origin, tenant),
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": f"{origin}/oidc/userinfo",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
        "claims_supported": _CLAIMS,
        "kerberos_endpoint": f"{base}/kerberos",
        "mtls_endpoint_aliases": {"token_endpoint": f"{base}/oauth2/v2.0/token"},
        "tls_client_certificate_bound_access_tokens": True,
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }


_CLAIMS = [
    "sub",
    "iss",
    "cloud_instance_name",
    "cloud_instance_host_name",
    "cloud_graph_host_name",
    "msgraph_host",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "acr",
    "nonce",
    "preferred_username",
    "name",
    "tid",
    "ver",
    "at_hash",
    "c_hash",
    "email",
]
