"""What infra/gcloud-deploy.sh tells a person at its end: what is left to do by hand."""

import json

MCP_URL = "https://dev-mcp-endpoint-123456789012.europe-west1.run.app/mcp"


def test_the_addresses_and_the_redirect_uri_to_register_are_told(first_run):
    told = dict(
        line.split(maxsplit=1) for line in first_run.output.splitlines() if line[:1].isalpha()
    )

    assert told["mcp_url"] == MCP_URL
    assert told["auth_url"] == "https://dev-auth-redirect-123456789012.europe-west1.run.app"
    assert told["redirect_uri"] == (
        "https://dev-oauth-callback-123456789012.europe-west1.run.app/callback"
    )


def test_each_secret_is_to_be_given_its_value_from_stdin(first_run):
    commands = [line.split() for line in first_run.output.splitlines() if "versions add" in line]

    assert commands == [
        [
            *("gcloud", "secrets", "versions", "add", f"dev-{name}-client-secret"),
            *("--project=acme-rally-mcp", "--data-file=-"),
        ]
        for name in ("rally", "github", "entra", "yata")
    ]


def test_the_mcp_json_holds_the_address_and_nothing_of_a_person(first_run):
    configuration = next(line for line in first_run.output.splitlines() if '"servers"' in line)

    assert json.loads(configuration) == {"servers": {"rally": {"type": "http", "url": MCP_URL}}}


def test_the_doctor_is_named_with_what_it_needs(first_run):
    *_, last = first_run.output.splitlines()

    assert last == (
        f"  .venv/bin/rally-mcp doctor {MCP_URL} --project acme-rally-mcp --database dev-rally-mcp"
    )


def test_every_change_was_told_while_it_was_made(first_run):
    for told in (
        "making the Firestore database dev-rally-mcp",
        "deploying dev-auth-redirect",
        "letting mcp_endpoint read dev-yata-client-secret",
        "making the notification channel for oncall@example.com",
    ):
        assert told in first_run.messages
