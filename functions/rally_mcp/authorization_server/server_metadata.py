"""What a client discovers about the authorization server (RFC 8414).

Every address comes from the settings; the issuer is the same string wherever it stands.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rally_mcp.authorization_server.client_assertions import SIGNING_ALGORITHMS
from rally_mcp.authorization_server.token_requests import GRANT_TYPES

_AUTHENTICATION = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]


def document(issuer: str, scopes: Sequence[str]) -> Mapping[str, Any]:
    """Return the authorization server's metadata (RFC 8414 §2, RFC 9207 §3, CIMD)."""
    algorithms = list(SIGNING_ALGORITHMS)
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "registration_endpoint": f"{issuer}/register",
        "revocation_endpoint": f"{issuer}/revoke",
        "scopes_supported": list(scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": _AUTHENTICATION,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": _AUTHENTICATION,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": True,
    }
