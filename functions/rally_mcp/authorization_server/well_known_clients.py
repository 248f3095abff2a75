"""The metadata documents of clients that many people use, as their makers publish them.

For deployments that may not reach the Internet: they stand in for a document whose host cannot be
reached, and for nothing else. A loopback redirect URI is compared without its port.
"""

from collections.abc import Mapping

WELL_KNOWN: Mapping[str, Mapping[str, object]] = {
    "https://github.com/copilot/cli/client-metadata.json": {
        "client_id": "https://github.com/copilot/cli/client-metadata.json",
        "client_name": "GitHub Copilot CLI",
        # Older versions listen on the second.
        "redirect_uris": ["http://127.0.0.1/callback", "http://127.0.0.1:33418/"],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    },
    "https://vscode.dev/oauth/client-metadata.json": {
        "client_id": "https://vscode.dev/oauth/client-metadata.json",
        "client_name": "Visual Studio Code",
        "redirect_uris": ["http://127.0.0.1:33418/", "https://vscode.dev/redirect"],
        "grant_types": [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    },
}
