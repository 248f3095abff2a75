"""Whose address a request counts for, behind proxies of ours and of others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from rally_mcp.web.client_address import client_address

PEER = "192.0.2.77"
HOPS = {"locally": 0, "on run.app": 1, "behind the load balancer": 2}

addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)


def request(*forwarded: str, peer: str | None = PEER) -> Request:
    """Return a request with one X-Forwarded-For header for each argument."""
    return Request(
        {
            "type": "http",
            "headers": [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded],
            "client": None if peer is None else (peer, 50_000),
        }
    )


@pytest.mark.parametrize(
    ("where", "forwarded", "expected"),
    [
        pytest.param("locally", [], PEER, id="locally: no header"),
        pytest.param("locally", ["203.0.113.9"], PEER, id="locally: a spoofed entry"),
        pytest.param("locally", ["6.6.6.6, 203.0.113.9"], PEER, id="locally: spoofed entries"),
        pytest.param("on run.app", ["203.0.113.9"], "203.0.113.9", id="run.app: nobody spoofs"),
        pytest.param(
            "on run.app", ["6.6.6.6, 203.0.113.9"], "203.0.113.9", id="run.app: one spoofed entry"
        ),
        pytest.param(
            "on run.app",
            ["6.6.6.6, 7.7.7.7,8.8.8.8 , 203.0.113.9"],
            "203.0.113.9",
            id="run.app: three spoofed entries",
        ),
        pytest.param(
            "on run.app",
            ["6.6.6.6", "7.7.7.7, 203.0.113.9"],
            "203.0.113.9",
            id="run.app: a spoofed header of its own",
        ),
        pytest.param(
            "on run.app",
            ["6.6.6.6, 7.7.7.7", "203.0.113.9"],
            "203.0.113.9",
            id="run.app: the proxy adds a header of its own",
        ),
        pytest.param(
            "on run.app", ["<script>, , 203.0.113.9"], "203.0.113.9", id="run.app: spoofed rubbish"
        ),
        pytest.param("on run.app", [], PEER, id="run.app: no header"),
        pytest.param("on run.app", [""], PEER, id="run.app: an empty header"),
        pytest.param("on run.app", ["203.0.113.9,"], PEER, id="run.app: an empty last entry"),
        pytest.param(
            "behind the load balancer",
            ["203.0.113.9, 35.191.0.1"],
            "203.0.113.9",
            id="load balancer: nobody spoofs",
        ),
        pytest.param(
            "behind the load balancer",
            ["6.6.6.6, 203.0.113.9, 35.191.0.1"],
            "203.0.113.9",
            id="load balancer: one spoofed entry",
        ),
        pytest.param(
            "behind the load balancer",
            ["6.6.6.6, 203.0.113.9", "35.191.0.1"],
            "203.0.113.9",
            id="load balancer: in two headers",
        ),
        pytest.param(
            "behind the load balancer", ["203.0.113.9"], PEER, id="load balancer: too few entries"
        ),
        pytest.param("behind the load balancer", [], PEER, id="load balancer: no header"),
    ],
)
def test_the_first_of_our_own_proxies_entries_is_the_caller(where, forwarded, expected):
    assert client_address(request(*forwarded), HOPS[where]) == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param("203.0.113.9", "203.0.113.9", id="IPv4"),
        pytest.param("203.0.113.9:443", "203.0.113.9", id="IPv4 with a port"),
        pytest.param("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", id="IPv6"),
        pytest.param("2001:DB8:1:2::9", "2001:db8:1:2::/64", id="IPv6 in capitals"),
        pytest.param("2001:0db8:0001:0002::", "2001:db8:1:2::/64", id="IPv6 with zeros"),
        pytest.param("[2001:db8:1:2::9]", "2001:db8:1:2::/64", id="IPv6 in brackets"),
        pytest.param("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64", id="IPv6 with a port"),
        pytest.param("fe80::1%eth0", "fe80::/64", id="IPv6 with a zone"),
        pytest.param("::ffff:203.0.113.9", "203.0.113.9", id="IPv4 mapped into IPv6"),
        pytest.param("::ffff:cb00:7109", "203.0.113.9", id="IPv4 mapped, in hexadecimal"),
        pytest.param("[::ffff:203.0.113.9]:443", "203.0.113.9", id="IPv4 mapped, with a port"),
    ],
)
def test_an_address_has_one_form_whichever_way_it_is_written(entry, expected):
    assert client_address(request(entry), 1) == expected
    assert client_address(request(peer=entry), 0) == expected


@pytest.mark.parametrize(
    "entry",
    [
        "unknown",
        "_hidden",
        "localhost",
        "203.0.113",
        "203.0.113.256",
        "203.0.113.09",
        "203.0.113.9:",
        "203.0.113.9:https",
        "203.0.113.9:443:443",
        "203.0.113.9/24",
        "3405803785",
        "2001:db8::1::2",
        "[2001:db8::1",
        "2001:db8::1]:443",
        "[2001:db8::1]443",
        "[]",
        'for="203.0.113.9"',
        "\u00b2\u00b3.0.113.9",
    ],
)
def test_an_entry_that_is_no_address_leaves_the_peer(entry):
    assert client_address(request(entry), 1) == PEER


@pytest.mark.parametrize("peer", [None, "", "/run/app.sock"], ids=["none", "empty", "a socket"])
def test_a_peer_without_an_address_is_unknown(peer):
    assert client_address(request(peer=peer), 0) == "unknown"
    assert client_address(request("not an address", peer=peer), 1) == "unknown"


def test_everybody_in_one_ipv6_household_has_the_same_address():
    seen = {
        client_address(request(f"2001:db8:1:2:{n:x}:{n:x}:{n:x}:{n:x}"), 1) for n in range(0xFFF)
    }

    assert seen == {"2001:db8:1:2::/64"}
    assert client_address(request("2001:db8:1:3::1"), 1) == "2001:db8:1:3::/64"


@given(
    spoofed=st.lists(st.text(st.characters(max_codepoint=0xFF, exclude_categories=["Cc"]))),
    caller=addresses,
    added_later=st.lists(addresses, max_size=3),
)
def test_nothing_that_a_caller_sends_changes_his_address(spoofed, caller, added_later):
    hops = 1 + len(added_later)
    ours = ", ".join([caller, *added_later])

    honest = client_address(request(ours), hops)

    assert client_address(request(", ".join([*spoofed, ours])), hops) == honest
    assert client_address(request(*spoofed, ours), hops) == honest
