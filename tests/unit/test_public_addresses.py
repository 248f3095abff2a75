"""Which URLs may be fetched for a stranger, and which addresses are public."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rally_mcp.authorization_server.public_addresses import LONGEST_URL, is_public, parse_url
from tests.conformance.refusals import inputs
from tests.conformance.requirements import requirement
from tests.fixtures.forbidden_places import ADDRESSES, HOSTS, table

PREFIX = "https://client.example.com/"

ACCEPTED = {
    "a well-known path": ("https://vscode.dev/.well-known/client", "vscode.dev"),
    "the default port, written out": ("https://client.example.com:443/id", "client.example.com"),
    "a name in punycode": ("https://xn--bcher-kva.example/id", "xn--bcher-kva.example"),
    "digits within the name": ("https://1and1.4.example/id", "1and1.4.example"),
    "an encoded character": ("https://client.example.com/a%20b", "client.example.com"),
    "three dots": ("https://client.example.com/...", "client.example.com"),
    "an @ in the path": ("https://client.example.com/@editor", "client.example.com"),
    "a path that ends in a slash": ("https://client.example.com/id/", "client.example.com"),
    "the longest": (PREFIX.ljust(LONGEST_URL, "a"), "client.example.com"),
}

REFUSED_FORMS = {
    "plain http": "http://client.example.com/id",
    "another scheme": "ftp://client.example.com/id",
    "a scheme in capitals": "HTTPS://client.example.com/id",
    "no host": "https:///id",
    "no path": "https://client.example.com",
    "the root alone": "https://client.example.com/",
    "a fragment": "https://client.example.com/id#part",
    "an empty fragment": "https://client.example.com/id#",
    "a query": "https://client.example.com/id?v=1",
    "an empty query": "https://client.example.com/id?",
    "a user": "https://ann@client.example.com/id",
    "a user and a password": "https://ann:secret@client.example.com/id",
    "a user that looks like the host": "https://client.example.com@evil.example/id",
    "a dot segment": "https://client.example.com/a/./id",
    "a double-dot segment": "https://client.example.com/a/../id",
    "a double-dot segment at the end": "https://client.example.com/a/..",
    "an encoded dot segment": "https://client.example.com/a/%2e/id",
    "an encoded double-dot segment": "https://client.example.com/a/%2E%2e/id",
    "a half-encoded double-dot segment": "https://client.example.com/a/.%2e/id",
    "a dot segment between encoded slashes": "https://client.example.com/a%2f..%2Fid",
    "a dot segment between encoded backslashes": "https://client.example.com/a%5c..%5Cid",
    "a backslash": "https://client.example.com\\@evil.example/id",
    "a backslash in the path": "https://client.example.com/a\\id",
    "a space": "https://client.example.com/an id",
    "a leading space": " https://client.example.com/id",
    "a line feed": "https://client.example.com/id\nHost: evil.example",
    "a line feed at the end": "https://client.example.com/id\n",
    "a tab": "https://client.example.com/\tid",
    "a null": "https://client.example.com/id\x00",
    "a bad escape": "https://client.example.com/%zz",
    "a brace": "https://client.example.com/{id}",
    "a letter beyond ASCII in the path": "https://client.example.com/ïd",
    "a letter beyond ASCII in the name": "https://bücher.example/id",
    "a full-width dot in the name": "https://client\uff0eexample.com/id",
    "a digit of another script": "https://client.example.com:\uff14\uff14\uff13/id",
    "a name in capitals": "https://Client.Example.com/id",
    "port 80": "https://client.example.com:80/id",
    "port 8443": "https://client.example.com:8443/id",
    "port 0443": "https://client.example.com:0443/id",
    "an empty port": "https://client.example.com:/id",
    "more than 512 characters": PREFIX.ljust(LONGEST_URL + 1, "a"),
    "a name that is too long": f"https://{'a.' * 126}example/id",
    "a label that is too long": f"https://{'a' * 64}.example/id",
    "a label that begins with a hyphen": "https://-client.example/id",
    "an underscore in the name": "https://my_client.example/id",
    "an empty label": "https://client..example/id",
    "a final dot": "https://client.example./id",
}

ipv4_addresses = st.ip_addresses(v=4)


@pytest.mark.parametrize(("url", "host"), table(ACCEPTED))
def test_a_url_of_the_public_web_is_accepted(url, host):
    assert parse_url(url).host == host


@requirement("B28")
@pytest.mark.parametrize("url", table(REFUSED_FORMS))
def test_a_url_of_another_form_is_refused_without_repeating_it(url):
    with pytest.raises(ValueError, match="URL") as refused:
        parse_url(url)

    assert url not in str(refused.value)


@requirement("B29")
@pytest.mark.parametrize("host", table(HOSTS))
def test_a_host_that_is_no_name_of_the_public_dns_is_refused(host):
    with pytest.raises(ValueError, match="URL"):
        parse_url(f"https://{host}/id")


@inputs(200)
@given(st.from_regex(r"/[A-Za-z0-9._~!$&'()*+,;=:@/%-]{1,40}", fullmatch=True))
def test_an_accepted_path_is_requested_as_it_is_written(path):
    try:
        accepted = parse_url(f"https://client.example.com{path}")
    except ValueError:
        return

    request = httpx.Request("GET", f"https://93.184.215.14{accepted.path}")
    assert request.url.raw_path == path.encode()
    assert request.url.host == "93.184.215.14"


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "93.184.215.14",
        "100.63.255.255",
        "172.32.0.1",
        "192.0.1.1",
        "223.255.255.255",
        "2001:4860:4860::8888",
        "2606:50c0:8000::153",
        "2a00:1450:4001:5efe::1",
    ],
)
def test_an_address_of_the_public_internet_is_public(address):
    assert is_public(address)


@requirement("B29")
@pytest.mark.parametrize("address", table(ADDRESSES))
def test_any_other_address_is_not_public(address):
    assert not is_public(address)


@requirement("B29")
@inputs(200)
@given(ipv4_addresses)
def test_no_ipv6_address_that_holds_an_ipv4_address_is_public(inner):
    value = int(inner)
    holders = {
        "v4-mapped": IPv6Address((0xFFFF << 32) | value),
        "v4-compatible": IPv6Address(value),
        "NAT64": IPv6Address((0x64FF9B << 96) | value),
        "local NAT64": IPv6Address((0x64FF9B0001 << 80) | value),
        "6to4": IPv6Address((0x2002 << 112) | (value << 80) | 1),
        "Teredo": IPv6Address((0x20010000 << 96) | (value ^ 0xFFFFFFFF)),
        "Teredo server": IPv6Address((0x20010000 << 96) | (value << 64)),
        "ISATAP": IPv6Address((0x2A001450 << 96) | (0x00005EFE << 32) | value),
        "ISATAP, unique": IPv6Address((0x2A001450 << 96) | (0x02005EFE << 32) | value),
    }

    assert {name for name, holder in holders.items() if is_public(str(holder))} == set()


@requirement("B29")
@inputs(500)
@given(st.ip_addresses())
def test_no_address_that_python_knows_a_special_use_of_is_public(address):
    special = (
        not address.is_global
        or address.is_multicast
        or address.is_reserved
        or address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or (isinstance(address, IPv6Address) and address.is_site_local)
    )

    assert not (special and is_public(str(address)))


@requirement("B29")
@inputs(200)
@given(ipv4_addresses)
def test_no_number_is_a_host_however_it_is_written(address: IPv4Address):
    value = int(address)
    parts = str(address).split(".")
    spellings = [
        str(address),
        str(value),
        hex(value),
        f"0{value:o}",
        ".".join(hex(int(part)) for part in parts),
        ".".join(f"0{int(part):o}" for part in parts),
        f"{parts[0]}.{value & 0xFFFFFF}",
        f"{parts[0]}.{parts[1]}.{value & 0xFFFF}",
        f"[{ip_address((0xFFFF << 32) | value)}]",
    ]

    for host in spellings:
        with pytest.raises(ValueError, match="URL"):
            parse_url(f"https://{host}/id")
