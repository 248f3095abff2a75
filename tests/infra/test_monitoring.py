"""The files of metrics and alerts: their form, and what they name."""

import re
from pathlib import Path

import pytest
import yaml
from google.api import distribution_pb2, metric_pb2
from google.protobuf import json_format

from tests.infra.monitoring_files import INFRA, AlertPolicy, alerts, metrics

ALERTS = {
    "error-rate",
    "latency",
    "sign-in-failures",
    "refresh-reuse",
    "rally-unavailability",
    "unexpected-failures",
    "unreachable",
}
FEW_VALUES = {"upstream", "reason", "tool", "decision", "message"}
"""Fields of a log line that never tell who it was."""

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
FILES = sorted([*INFRA.glob("metrics/*.yaml"), *INFRA.glob("alerts/*.yaml")])

each_alert = pytest.mark.parametrize("name", sorted(ALERTS))
each_metric = pytest.mark.parametrize("name", sorted(metrics()))


def filters_of(policy: AlertPolicy) -> list[str]:
    """Return every filter of an alert policy."""
    thresholds = [condition.condition_threshold for condition in policy.conditions]
    both = [each for it in thresholds for each in (it.filter, it.denominator_filter)]
    return [each for each in both if each]


def test_there_is_an_alert_for_each_thing_that_can_go_wrong() -> None:
    assert alerts().keys() == ALERTS


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_short_and_leaves_only_the_prefix_open(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert len(text.splitlines()) < 60
    assert set(re.findall(r"\{[a-z_]+\}", text)) <= {"{prefix}", "{metric_prefix}"}


@each_metric
def test_a_metric_is_called_as_its_file_is(name: str) -> None:
    in_snake_case = name.replace("-", "_")

    assert metrics()[name].name == f"rally_mcp_{in_snake_case}"
    assert metrics("dev-")[name].name == f"dev_rally_mcp_{in_snake_case}"


@each_metric
def test_a_metrics_labels_have_few_values_and_never_tell_who_it_was(name: str) -> None:
    metric = metrics()[name]
    fields = {each.partition("jsonPayload.")[2][:-1] for each in metric.label_extractors.values()}

    assert {label.key for label in metric.metric_descriptor.labels} == set(metric.label_extractors)
    assert fields <= FEW_VALUES


@each_metric
def test_a_metric_has_the_form_of_the_api(name: str) -> None:
    document = yaml.safe_load((INFRA / "metrics" / f"{name}.yaml").read_text(encoding="utf-8"))
    is_distribution = document["metricDescriptor"]["valueType"] == "DISTRIBUTION"

    assert json_format.ParseDict(document["metricDescriptor"], metric_pb2.MetricDescriptor())
    assert is_distribution == ("valueExtractor" in document) == ("bucketOptions" in document)
    if is_distribution:
        buckets = distribution_pb2.Distribution.BucketOptions()
        assert json_format.ParseDict(document["bucketOptions"], buckets)


@each_alert
def test_an_alert_names_metrics_and_labels_that_exist(name: str) -> None:
    by_name = {metric.name: metric for metric in metrics("dev-").values()}
    for text in filters_of(alerts("dev-")[name]):
        [metric_type] = re.findall(r'metric\.type = "([^"]+)"', text)
        own = metric_type.startswith("logging.googleapis.com/user/")
        labels = set(re.findall(r"metric\.labels\.(\w+)", text))
        known = by_name[metric_type.rpartition("/")[2]].label_extractors if own else ()

        assert not own or labels <= set(known)
        assert own or metric_type.startswith(("run.googleapis.com/", "monitoring.googleapis.com/"))


@each_alert
def test_the_alerts_of_two_deployments_in_one_project_are_told_apart(name: str) -> None:
    mine, theirs = alerts("dev-")[name], alerts("test-")[name]

    assert mine.display_name != theirs.display_name
    assert mine.user_labels == {"deployment": "dev-rally-mcp", "alert": name}
    assert not {*filters_of(mine)} & {*filters_of(theirs)}


@each_alert
def test_an_alert_says_in_a_few_lines_what_to_do_and_where_more_stands(name: str) -> None:
    content = alerts()[name].documentation.content
    headings = re.findall(r"^### (.+)$", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE)

    [section] = re.findall(r'See docs/operations\.md, "([^"]+)"\.', content)
    assert section in headings
    assert section.lower().replace(" ", "-") == name
    assert 3 <= len(content.splitlines()) <= 6


@each_alert
def test_a_share_is_one_of_two_sums_over_the_same_time(name: str) -> None:
    for condition in alerts()[name].conditions:
        threshold = condition.condition_threshold
        has_denominator = threshold.denominator_filter is not None

        assert has_denominator == bool(threshold.denominator_aggregations)
        assert threshold.denominator_aggregations in ([], threshold.aggregations)


def test_people_whom_the_deployment_is_not_for_raise_no_alert() -> None:
    [text] = filters_of(alerts()["sign-in-failures"])

    assert 'metric.labels.reason != "PermissionDenied"' in text
