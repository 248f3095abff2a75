"""Which redirect URIs can be registered, which match, and what is shown and allowed of them."""

import pytest

from rally_mcp.authorization_server import redirect_uris
from rally_mcp.errors import InvalidInput
from tests.conformance.requirements import requirement

TAKEN = (
    "https://client.example/callback",
    "https://client.example",
    "https://client.example:8443/callback?tenant=7",
    "https://xn--bcher-kva.example/callback",
    "https://under_score.example/callback",
    "https://vscode.dev/redirect",
    "https://localhost/callback",
    "http://127.0.0.1/",
    "http://127.0.0.1:33418/",
    "http://127.0.0.1:33418/callback?from=browser",
    "http://localhost:6274/oauth/callback",
    "http://[::1]:33418/callback",
    "vscode://vscode.github-authentication/did-authenticate",
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "com.example.app:/callback",
    "com.example.app://callback",
    "https://client.example/a..b/...",
    "https://client.example/callback?next=/../x",
)

REFUSED = {
    "nothing": "",
    "a path": "/callback",
    "a host without a scheme": "//client.example/callback",
    "a scheme alone": "https://",
    "https without a host": "https:///callback",
    "http on another machine": "http://client.example/callback",
    "http on the local network": "http://192.168.1.7:8080/callback",
    "http where the name only begins like loopback": "http://127.0.0.1.attacker.example/callback",
    "http where the name only ends like loopback": "http://attacker.example.localhost/callback",
    "http on another loopback address": "http://127.0.0.2/callback",
    "http on loopback written as a number": "http://2130706433/callback",
    "http on loopback written with octal digits": "http://0177.0.0.1/callback",
    "http on loopback written in full": "http://[0:0:0:0:0:0:0:1]/callback",
    "http on every address": "http://0.0.0.0/callback",
    "a fragment": "https://client.example/callback#here",
    "an empty fragment": "https://client.example/callback#",
    "a user": "https://ann@client.example/callback",
    "a user and a password": "https://ann:secret@client.example/callback",
    "a host as the user": "https://client.example@attacker.example/callback",
    "loopback as the user": "http://127.0.0.1:80@attacker.example/callback",
    "a backslash": "https://client.example\\@attacker.example/callback",
    "a code of its own": "https://client.example/callback?code=x",
    "an error of its own": "com.example.app:/callback?error=",
    "an issuer of its own": "http://127.0.0.1/callback?tenant=7&iss=https://attacker.example",
    "a wildcard host": "https://*.example/callback",
    "a wildcard path": "https://client.example/*",
    "a step up": "https://client.example/a/../callback",
    "a step up at the end": "https://client.example/callback/..",
    "a step nowhere": "https://client.example/./callback",
    "an encoded step up": "https://client.example/a/%2e%2E/callback",
    "a half encoded step up": "https://client.example/a/.%2e/callback",
    "a step up behind an encoded slash": "https://client.example/a%2f..%2Fcallback",
    "a step up behind an encoded backslash": "https://client.example/a%5c..%5ccallback",
    "a step up on loopback": "http://127.0.0.1/a/../callback",
    "a space": "https://client.example/call back",
    "a line break": "https://client.example/call\nback",
    "a tab in the scheme": "java\tscript:alert(1)",
    "a leading space": " https://client.example/callback",
    "a letter that is not ASCII": "https://clïent.example/callback",
    "a port that is none": "https://client.example:port/callback",
    "a port that is too high": "https://client.example:65536/callback",
    "a bracket that is not closed": "http://[::1/callback",
    "javascript": "javascript:alert(document.domain)",
    "javascript in capitals": "JavaScript:alert(1)",
    "javascript with slashes": "javascript://client.example/%0aalert(1)",
    "data": "data:text/html,<script>alert(1)</script>",
    "a file": "file:///etc/passwd",
    "a blob": "blob:https://client.example/2f1c",
    "a page about the browser": "about:blank",
    "the source of a page": "view-source:https://client.example",
    "mail": "mailto:ann@client.example",
    "out of band": "urn:ietf:wg:oauth:2.0:oob",
    "an application without a period": "myapp://callback",
    "a websocket": "wss://client.example/callback",
    "513 characters": "https://client.example/".ljust(513, "a"),
}

MATCHING = (
    ("https://client.example/callback", "https://client.example/callback"),
    ("http://127.0.0.1/callback", "http://127.0.0.1:33418/callback"),
    ("http://127.0.0.1:33418/callback", "http://127.0.0.1:51234/callback"),
    ("http://127.0.0.1:33418/callback", "http://127.0.0.1/callback"),
    ("http://localhost/", "http://localhost:1/"),
    ("http://[::1]/callback", "http://[::1]:33418/callback"),
    ("http://127.0.0.1/callback?a=1", "http://127.0.0.1:8000/callback?a=1"),
    ("com.example.app:/callback", "com.example.app:/callback"),
)

DIFFERENT = {
    "another path": ("https://client.example/callback", "https://client.example/callback2"),
    "a slash more": ("https://client.example/callback", "https://client.example/callback/"),
    "a path below": ("https://client.example/callback", "https://client.example/callback/x"),
    "a path in capitals": ("https://client.example/callback", "https://client.example/Callback"),
    "a path encoded": ("https://client.example/callback", "https://client.example/%63allback"),
    "a query more": ("https://client.example/callback", "https://client.example/callback?x=1"),
    "a query less": ("https://client.example/callback?x=1", "https://client.example/callback"),
    "another host": ("https://client.example/callback", "https://client.example.net/callback"),
    "a host in capitals": ("https://client.example/callback", "https://Client.example/callback"),
    "a host below": ("https://client.example/callback", "https://a.client.example/callback"),
    "http instead": ("https://localhost/callback", "http://localhost/callback"),
    "a port on https": ("https://client.example/callback", "https://client.example:8443/callback"),
    "https's own port": ("https://client.example/callback", "https://client.example:443/callback"),
    "a port on https at home": ("https://localhost/callback", "https://localhost:8443/callback"),
    "another loopback name": ("http://127.0.0.1/callback", "http://localhost:33418/callback"),
    "another loopback family": ("http://127.0.0.1/callback", "http://[::1]:33418/callback"),
    "another path on loopback": ("http://127.0.0.1/callback", "http://127.0.0.1:33418/"),
    "another query on loopback": ("http://127.0.0.1/?a=1", "http://127.0.0.1:33418/?a=2"),
    "a line break on loopback": ("http://127.0.0.1/callback", "http://127.0.0.1/call\nback"),
    "a port on an application": ("com.example.app://a/b", "com.example.app://a:1/b"),
}


@requirement("B6")
@pytest.mark.parametrize("uri", TAKEN)
def test_a_uri_of_a_client_can_be_registered(uri):
    redirect_uris.check(uri)
    redirect_uris.check(uri, "native")


@requirement("B6")
@pytest.mark.parametrize("uri", REFUSED.values(), ids=REFUSED)
def test_what_could_send_a_code_astray_is_refused(uri):
    with pytest.raises(InvalidInput):
        redirect_uris.check(uri)


@requirement("B6")
@pytest.mark.parametrize("character", ";,'%<&$(|")
def test_a_host_has_the_characters_of_a_host_alone(character):
    with pytest.raises(InvalidInput):
        redirect_uris.check(f"https://client.example{character}x.example/callback")


@requirement("B26")
@pytest.mark.parametrize("uri", TAKEN)
def test_a_web_application_takes_its_answer_over_https_alone(uri):
    if uri.startswith("https://"):
        redirect_uris.check(uri, "web")
    else:
        with pytest.raises(InvalidInput):
            redirect_uris.check(uri, "web")


@requirement("B6")
@pytest.mark.parametrize(("registered", "requested"), MATCHING)
def test_the_port_of_a_loopback_uri_is_the_clients_to_choose(registered, requested):
    assert redirect_uris.registered(requested, ["https://other.example/", registered])


@requirement("B6")
@pytest.mark.parametrize(("registered", "requested"), DIFFERENT.values(), ids=DIFFERENT)
def test_everything_else_matches_byte_for_byte(registered, requested):
    assert not redirect_uris.registered(requested, [registered])
    assert not redirect_uris.registered(registered, [requested])


@requirement("B6")
def test_a_client_without_redirect_uris_has_none_that_match():
    assert not redirect_uris.registered("", [])
    assert not redirect_uris.registered("https://client.example/", [])


@requirement("B6")
@pytest.mark.parametrize(
    "uri",
    [
        "https://rally-mcp.example/callback",
        "https://rally-mcp.example:443/callback",
        "https://RALLY-MCP.example/callback",
        "https://rally-mcp.example./callback",
        "https://rally-mcp.example/anything",
        "http://127.0.0.1:8082/callback",
        "http://localhost:8082/callback",
        "http://[::1]:8082/callback",
    ],
)
def test_an_address_of_this_deployment_is_known_however_it_is_written(uri):
    own = ("https://rally-mcp.example/mcp", "http://127.0.0.1:8082/callback")

    assert redirect_uris.is_own(uri, own)


@requirement("B6")
@pytest.mark.parametrize(
    "uri",
    ["https://rally-mcp.example:8443/", "http://127.0.0.1:8083/", "https://example/", "a.b:/c"],
)
def test_an_address_beside_this_deployment_is_not_its_own(uri):
    own = ("https://rally-mcp.example/mcp", "http://127.0.0.1:8082/callback")

    assert not redirect_uris.is_own(uri, own)


@requirement("B11")
@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://client.example/callback?x=1", "client.example"),
        ("https://client.example:8443/", "client.example:8443"),
        ("http://127.0.0.1:33418/callback", "127.0.0.1:33418"),
        ("http://[::1]:33418/callback", "[::1]:33418"),
        ("com.example.app:/callback", "com.example.app:"),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "cursor:"),
    ],
)
def test_a_person_judges_by_host_or_application(uri, shown):
    assert redirect_uris.shown(uri) == shown


@requirement("A7")
@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("https://client.example/callback", "https://client.example"),
        ("http://127.0.0.1:33418/callback", "http://127.0.0.1:33418"),
        ("http://[::1]:33418/callback", "http:"),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "cursor:"),
    ],
)
def test_the_policy_lets_a_form_end_at_the_client(uri, source):
    assert redirect_uris.form_action_source(uri) == source
