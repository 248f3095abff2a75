"""What holds for every redirect URI, however it is written."""

import string
from urllib.parse import parse_qsl, urlsplit

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rally_mcp.authorization_server import redirect_uris
from rally_mcp.errors import InvalidInput
from tests.conformance.requirements import requirement

thoroughly = settings(max_examples=300, deadline=None)

HERE = {"127.0.0.1", "localhost", "::1"}

ports = st.integers(min_value=1, max_value=65535)
paths = st.text(string.ascii_letters + string.digits + "/-._~%?=&", max_size=40).map("/{}".format)
loopback_hosts = st.sampled_from(["127.0.0.1", "localhost", "[::1]"])
texts = st.text(max_size=60)
names = st.text("ab1-", min_size=1, max_size=8).map("a{}.example".format)
odd_names = st.text("ab.-:;,'<%[]@ \n", max_size=8)
uris = st.one_of(
    st.builds("https://{}{}".format, names, paths),
    st.builds("https://a{}{}".format, odd_names, paths),
    st.builds("http://{}:{}{}".format, loopback_hosts, ports, paths),
    st.builds("a.b:{}".format, paths),
    st.builds(
        "{}{}{}".format, st.sampled_from(["HTTP://", "javascript:", "//", ""]), odd_names, texts
    ),
)
"""Half of them can be registered."""

parts = st.tuples(
    st.sampled_from(["https", "http"]),
    st.sampled_from(["127.0.0.1", "localhost"]),
    st.sampled_from(["", ":1", ":2"]),
    st.sampled_from(["", "/", "/callback", "/callback?x=1"]),
)
"""Scheme, host, port and rest, few of each, so that two addresses often have some in common."""


def is_taken(uri: str) -> bool:
    try:
        redirect_uris.check(uri)
    except InvalidInput:
        return False
    return True


@requirement("B6")
@given(uris)
@thoroughly
def test_no_text_breaks_the_check(uri):
    is_taken(uri)


@requirement("B6")
@given(uris)
@thoroughly
def test_what_is_taken_is_one_absolute_address_of_a_known_kind(uri):
    assume(is_taken(uri))
    parts = urlsplit(uri)

    assert uri.isascii()
    assert uri.isprintable()
    assert not set(uri) & set(" #\\*")
    assert "@" not in parts.netloc
    assert parts.scheme in {"https", "a.b"} or parts.hostname in HERE


@requirement("B6")
@given(loopback_hosts, paths, ports, ports)
@thoroughly
def test_a_loopback_uri_matches_whatever_its_ports(host, path, one, other):
    registered, requested = f"http://{host}:{one}{path}", f"http://{host}:{other}{path}"
    assume(is_taken(registered))

    assert redirect_uris.registered(requested, [registered])
    assert redirect_uris.without_port(requested) == f"http://{host}{path}"
    assert redirect_uris.is_loopback(requested)


@requirement("B6")
@given(parts, parts)
@thoroughly
def test_two_addresses_match_where_they_differ_in_the_port_of_http_alone(one, other):
    registered, requested = ("{}://{}{}{}".format(*each) for each in (one, other))
    are_one_but_for_the_port = one[:2] == other[:2] and one[3:] == other[3:] and one[0] == "http"

    matches = redirect_uris.registered(requested, [registered])

    assert matches == (one == other or are_one_but_for_the_port)


@requirement("B6")
@given(uris)
@thoroughly
def test_leaving_the_port_out_twice_is_leaving_it_out_once(uri):
    once = redirect_uris.without_port(uri)

    assert redirect_uris.without_port(once) == once


@requirement("A7")
@given(uris)
@thoroughly
def test_no_redirect_uri_writes_into_the_policy(uri):
    assume(is_taken(uri))

    source = redirect_uris.form_action_source(uri)

    assert not set(source) & set(" ;,'\"\r\n")


@given(st.lists(st.tuples(texts, texts)), st.sampled_from(["", "?tenant=7", "?"]))
@thoroughly
def test_the_answers_parameters_arrive_as_they_were_said(said, query):
    address = redirect_uris.with_parameters(f"https://client.example/callback{query}", said)

    kept = parse_qsl(urlsplit(address).query, keep_blank_values=True)
    assert kept[len(kept) - len(said) :] == said
    assert address.startswith(f"https://client.example/callback{query or '?'}")
