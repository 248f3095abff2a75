"""The MCP conformance suite against mcp_endpoint, in both protocol revisions."""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.conformance_server import running_conformance_server
from tests.clients.node import program

REVISIONS = ("2025-11-25", "2026-07-28")
SUITE_SECONDS = 120
"""Either revision takes about two."""

RESULTS_OF_A_SCENARIO = re.compile(r"server-(.+)-\d{4}-\d\d-\d\dT")

EVERYWHERE = {
    "tools-list",
    "tools-call-simple-text",
    "tools-call-error",
    "json-schema-2020-12",
    "dns-rebinding-protection",
}
RELIED_ON = {
    "2025-11-25": EVERYWHERE | {"server-initialize", "ping"},
    "2026-07-28": EVERYWHERE
    | {
        "server-stateless",
        "caching",
        "http-header-validation",
        "http-custom-header-server-validation",
        "input-required-result-unsupported-methods",
        "input-required-result-validate-input",
    },
}
"""Scenarios that a release of the suite must not drop unnoticed."""

NOT_OFFERED = {
    "Rally MCP has tools, and no prompts": (
        "prompts-list",
        "prompts-get-simple",
        "prompts-get-with-args",
        "prompts-get-embedded-resource",
        "prompts-get-with-image",
        "caching:sep-2549-prompts-list-caching-hints",
        "input-required-result-non-tool-request:sep-2322-non-tool-incomplete",
    ),
    "Rally MCP has tools, and no resources": (
        "resources-list",
        "resources-read-text",
        "resources-read-binary",
        "resources-templates-read",
        "resources-subscribe",
        "resources-unsubscribe",
        "caching:sep-2549-resources-list-caching-hints",
        "caching:sep-2549-resources-templates-list-caching-hints",
        "caching:sep-2549-resources-read-caching-hints",
        "sep-2164-resource-not-found:sep-2164-error-code",
        "sep-2164-resource-not-found:sep-2164-data-uri",
    ),
    "completion is for the arguments of prompts and resource templates": ("completion-complete",),
    "tools answer with text and structured content alone": (
        "tools-call-image",
        "tools-call-audio",
        "tools-call-embedded-resource",
        "tools-call-mixed-content",
    ),
    "an answer is one JSON document, so nothing is sent on the way to it": (
        "logging-set-level",
        "tools-call-with-logging",
        "tools-call-with-progress",
        "tools-call-sampling",
        "tools-call-elicitation",
        "elicitation-sep1034-defaults:elicitation-sep1034-general",
        "elicitation-sep1330-enums:elicitation-sep1330-general",
    ),
    "no MCP session is kept, so there is none to open a second stream in": (
        "server-sse-multiple-streams:server-sse-multiple-streams-session",
        "server-sse-polling:server-sse-polling-session",
    ),
    "nothing changes that a client could subscribe to": (
        "server-stateless:sep-2575-server-sends-subscription-ack",
        "server-stateless:sep-2575-server-tags-subscription-id",
        "server-stateless:sep-2575-server-honors-notification-filter",
        "server-stateless:sep-2575-server-sends-prompts-list-changed-on-subscription",
        "server-stateless:sep-2575-server-sends-tools-list-changed-on-subscription",
    ),
    "no tool needs a capability of the client, or asks it for more input": (
        "server-stateless:sep-2575-server-rejects-undeclared-capability",
        "server-stateless:sep-2575-missing-capability-http-400",
        "input-required-result-basic-elicitation:sep-2322-elicitation-incomplete",
        "input-required-result-basic-sampling:sep-2322-sampling-incomplete",
        "input-required-result-basic-list-roots:sep-2322-list-roots-incomplete",
        "input-required-result-request-state:sep-2322-request-state-incomplete",
        "input-required-result-multiple-input-requests:sep-2322-multiple-inputs-incomplete",
        "input-required-result-multi-round:sep-2322-multi-round-r1",
        "input-required-result-missing-input-response:sep-2322-missing-response-rerequests",
        "input-required-result-result-type:sep-2322-result-type-included",
        "input-required-result-tampered-state:sep-2322-reject-tampered-state",
        "input-required-result-capability-check:sep-2322-respect-client-capabilities",
        "input-required-result-ignore-extra-params:sep-2322-ignore-unexpected-params",
    ),
}
"""Checks that ask for what is left out on purpose, by the reason.

`scenario:check`, or the one name where both have the same.
"""
LEFT_OUT = {check for checks in NOT_OFFERED.values() for check in checks}


@dataclass(frozen=True, slots=True)
class Report:
    """What the suite found. Checks that did not pass were skipped, or failed at least once."""

    scenarios: frozenset[str]
    checks: frozenset[str]
    not_passed: frozenset[str]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Report]:
    """The findings by revision."""
    with running_conformance_server(tmp_path_factory.mktemp("server")) as mcp_url:
        return {
            revision: _run_suite(mcp_url, revision, tmp_path_factory.mktemp(revision))
            for revision in REVISIONS
        }


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_check_passes_but_those_of_what_is_not_offered(
    reports: Mapping[str, Report], revision: str
) -> None:
    report = reports[revision]

    assert LEFT_OUT & report.checks == report.not_passed


def test_each_check_that_is_left_out_exists(reports: Mapping[str, Report]) -> None:
    existing = {check for report in reports.values() for check in report.checks}

    assert set() == LEFT_OUT - existing


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_scenarios_that_matter_most_are_among_those_run(
    reports: Mapping[str, Report], revision: str
) -> None:
    assert set() == RELIED_ON[revision] - reports[revision].scenarios


def _run_suite(mcp_url: str, revision: str, results: Path) -> Report:
    """Run all scenarios of a revision, as --requirements does, but without the extensions."""
    command = (*program("conformance"), "server", "--url", mcp_url, "--output-dir", str(results))
    done = subprocess.run(
        (*command, "--suite", "all", "--spec-version", revision),
        cwd=results,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SUITE_SECONDS,
        check=False,
    )
    reports = list(results.glob("*/checks.json"))
    assert reports, done.stdout
    return _report(reports)


def _report(reports: Sequence[Path]) -> Report:
    scenarios, checks, not_passed = set(), set(), set()
    for path in reports:
        scenario = RESULTS_OF_A_SCENARIO.match(path.parent.name)[1]
        scenarios.add(scenario)
        for found in json.loads(path.read_text()):
            check = scenario if found["id"] == scenario else f"{scenario}:{found['id']}"
            checks.add(check)
            if found["status"] not in {"SUCCESS", "INFO"}:
                not_passed.add(check)
    return Report(frozenset(scenarios), frozenset(checks), frozenset(not_passed))
