"""What doctor finds wrong on the way to a function: its name, its certificate, a proxy."""

import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from devtools.doctor import examination, network
from devtools.doctor.functions import Outside
from devtools.doctor.google_cloud import Google
from devtools.doctor.report import Report
from devtools.doctor.requests import Requests
from rally_mcp.bootstrap.foundations import now
from tests.doctor.examined import (
    HEALTH,
    Examined,
    failed,
    instead,
    lines,
    no_connection,
    outcomes,
)
from tests.doctor.tls_server import certificate, listening

TLS = "TLS of mcp_endpoint"
PUBLIC = httpx.create_ssl_context(trust_env=False)
PROXY = "proxy.example:3128"
RUN_APP = "https://mcp-endpoint-123.us-central1.run.app/mcp"

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def report_of(
    mcp_url: str,
    trust: ssl.SSLContext,
    resolve: Resolve = network.resolve,
    clock: Callable[[], datetime] = now,
) -> Report:
    """Examine what listens at a port of this machine."""
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(verify=trust, trust_env=False, limits=limits) as http:
        outside = Outside(Requests(http, clock, 5.0, lambda _: None), resolve)
        return await examination.of_deployment(mcp_url, outside, Google())


async def unknown(host: str, port: int) -> Sequence[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


async def empty(host: str, port: int) -> Sequence[str]:
    return []


@pytest.mark.parametrize("resolve", [unknown, empty])
@pytest.mark.parametrize(
    ("mcp_url", "to_do"),
    [
        (RUN_APP, "check the address for a slip: name, project number and region"),
        ("https://mcp.example.com/mcp", "add a DNS record with the address of the load balancer"),
    ],
    ids=["run.app", "own domain"],
)
async def test_a_name_without_an_address_is_one_failure(
    examined: Examined, resolve: Resolve, mcp_url: str, to_do: str
) -> None:
    report = await replace(examined, resolve=resolve).report(mcp_url)

    [(name, finding)] = failed(report).items()
    others = [each for each in report.findings if each.name != name]
    assert name == "DNS of mcp_endpoint"
    assert f"{httpx.URL(mcp_url).host} has no address" in finding.problem
    assert to_do in finding.remedy
    assert {each.outcome for each in others} == {"not_checked"}
    assert any("because 'DNS of mcp_endpoint' failed" in line for line in lines(report))
    assert examined.sent == []


async def test_a_name_of_this_machine_is_looked_up_as_programs_do() -> None:
    assert "127.0.0.1" in await network.resolve("localhost", 80)


async def test_a_proxy_looks_names_up_itself(examined: Examined) -> None:
    behind = replace(examined, resolve=unknown, proxy_of=lambda _: PROXY)

    report = await behind.report()

    assert failed(report) == {}
    assert outcomes(report)["DNS of mcp_endpoint"] == "not_checked"
    assert f"because the proxy {PROXY} looks names up" in "\n".join(lines(report))
    assert outcomes(report)["mcp_endpoint answers"] == "ok"


async def test_a_proxy_that_may_be_what_does_not_answer_is_named(examined: Examined) -> None:
    examined.changes[HEALTH["mcp_endpoint"]] = no_connection
    behind = replace(examined, proxy_of=lambda _: PROXY)

    [finding] = failed(await behind.report()).values()

    assert finding.problem == (
        f"no answer from 127.0.0.1:8080 through the proxy {PROXY} (ConnectError)"
    )
    assert "check that this proxy answers and lets 127.0.0.1:8080 through" in finding.remedy
    assert "that mcp-endpoint is deployed and public" in finding.remedy


async def test_the_end_of_a_certificate_is_told(tmp_path) -> None:
    shown = certificate(tmp_path, days=90)

    async with listening(shown) as mcp_url:
        report = await report_of(mcp_url, shown.trusted())

    end = (datetime.now(UTC) + timedelta(days=90)).date()
    assert outcomes(report)["mcp_endpoint answers"] == "ok"
    assert f"ok    {TLS}: certificate until {end}" in lines(report)


@pytest.mark.parametrize(("days", "outcome"), [(13, "fail"), (15, "ok")])
async def test_a_certificate_that_ends_within_two_weeks_fails(
    tmp_path, days: int, outcome: str
) -> None:
    shown = certificate(tmp_path, days=days)

    async with listening(shown) as mcp_url:
        report = await report_of(mcp_url, shown.trusted())

    assert outcomes(report)[TLS] == outcome
    for finding in failed(report).values():
        if finding.name == TLS:
            assert "expected at least 14 days from now" in finding.problem
            assert "renew it" in finding.remedy


@pytest.mark.parametrize(
    ("made", "trusted", "seen", "to_do"),
    [
        (
            {},
            "public ones",
            "not accepted: self-signed certificate",
            "public certificate authority",
        ),
        (
            {"name": "other.example"},
            "this one",
            "is not valid for 'localhost'",
            "give the server a certificate for localhost",
        ),
        ({"days": -1}, "this one", "certificate has expired", "renew the certificate"),
    ],
    ids=["self-signed", "another name", "expired"],
)
async def test_a_certificate_that_clients_refuse_fails(
    tmp_path, made: dict[str, Any], trusted: str, seen: str, to_do: str
) -> None:
    shown = certificate(tmp_path, **made)
    trust = shown.trusted() if trusted == "this one" else PUBLIC

    async with listening(shown) as mcp_url:
        report = await report_of(mcp_url, trust)

    [(name, finding)] = failed(report).items()
    assert name == TLS
    assert seen in finding.problem
    assert to_do in finding.remedy
    assert outcomes(report)["mcp_endpoint answers"] == "not_checked"


async def test_a_server_without_tls_at_an_https_address_fails(tmp_path) -> None:
    async with listening(None) as mcp_url:
        report = await report_of(mcp_url, certificate(tmp_path).trusted())

    [(name, finding)] = failed(report).items()
    assert name == TLS
    assert "no TLS connection (WRONG_VERSION_NUMBER)" in finding.problem
    assert "check that what listens there speaks TLS" in finding.remedy


async def test_an_https_address_where_nothing_listens_fails(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    report = await report_of(f"https://localhost:{port}/mcp", certificate(tmp_path).trusted())

    [(name, finding)] = failed(report).items()
    assert name == TLS
    assert finding.problem == f"no answer from localhost:{port} (ConnectError)"
    assert "that mcp-endpoint is deployed and public" in finding.remedy


async def test_what_a_server_answers_does_not_matter_to_its_certificate(
    examined: Examined,
) -> None:
    examined.changes["https://mcp.example.com/mcp/health"] = instead(500)
    shown_by_nobody = replace(
        examined,
        applications={"https://mcp.example.com": examined.applications["http://127.0.0.1:8080"]},
    )

    report = await shown_by_nobody.report("https://mcp.example.com/mcp")

    assert outcomes(report)[TLS] == "not_checked"
    assert "HTTP 500" in failed(report)["mcp_endpoint answers"].problem
