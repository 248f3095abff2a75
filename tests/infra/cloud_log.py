"""Log lines as Cloud Logging keeps them, and which of them a metric counts."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from tests.fixtures.log_lines import written_log
from tests.infra.logging_query import parse
from tests.infra.monitoring_files import metrics

_MOVED = {"severity", "time", "logging.googleapis.com/labels", "logging.googleapis.com/trace"}
"""Members that an entry has elsewhere; the rest of a line is its jsonPayload."""


def entry(line: Mapping[str, Any], service: str = "mcp-endpoint") -> dict[str, Any]:
    """Return the LogEntry that Cloud Run makes of a line of JSON that one of its services wrote."""
    return {
        "severity": line["severity"],
        "resource": {"type": "cloud_run_revision", "labels": {"service_name": service}},
        "labels": line["logging.googleapis.com/labels"],
        "jsonPayload": {name: value for name, value in line.items() if name not in _MOVED},
    }


def request_entry(
    address: str, service: str = "mcp-endpoint", severity: str = "INFO"
) -> dict[str, Any]:
    """Return the LogEntry that Cloud Run writes by itself about a request."""
    return {
        "severity": severity,
        "resource": {"type": "cloud_run_revision", "labels": {"service_name": service}},
        "httpRequest": {"requestMethod": "GET", "requestUrl": address, "status": 200},
    }


def balancer_entry(address: str, url_map: str = "rally-mcp") -> dict[str, Any]:
    """Return the LogEntry that a load balancer writes about a request."""
    return {
        "severity": "INFO",
        "resource": {"type": "http_load_balancer", "labels": {"url_map_name": url_map}},
        "httpRequest": {"requestMethod": "GET", "requestUrl": address, "status": 200},
    }


def counted(lines: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return what each metric counts of these lines, without the metrics that count none."""
    entries = [entry(line) for line in lines]
    matched = {
        name: [each["jsonPayload"] for each in entries if parse(metric.filter)(each)]
        for name, metric in metrics().items()
    }
    return {name: payloads for name, payloads in matched.items() if payloads}


async def count(*steps: Callable[[], Awaitable[object]]) -> dict[str, int]:
    """Take these steps, and return how many of the lines written meanwhile each metric counts."""
    with written_log() as log:
        for step in steps:
            await step()
    return {name: len(payloads) for name, payloads in counted(log.lines).items()}
