"""The files of infra/metrics and infra/alerts, read as their deployment reads them.

The models have the API's fields as far as the files use them, and admit no other: LogMetric of
Cloud Logging v2, AlertPolicy of Cloud Monitoring v3.
"""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

INFRA = Path(__file__).parents[2] / "infra"

ModelT = TypeVar("ModelT", bound=BaseModel)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=_camel, strict=True)


Text = Annotated[str, StringConstraints(min_length=1, max_length=8000)]
Filter = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
"""The API's bound on an alert's filter; a metric's may be longer."""
Seconds = Annotated[str, StringConstraints(pattern=r"^[1-9]\d*s$")]
Extractor = Annotated[str, StringConstraints(pattern=r"^EXTRACT\(jsonPayload\.\w+\)$")]
Label = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]


class MetricLabel(_Form):
    key: Label
    value_type: Literal["STRING"]
    description: Text


class MetricDescriptor(_Form):
    display_name: Text
    metric_kind: Literal["DELTA"]
    value_type: Literal["INT64", "DISTRIBUTION"]
    unit: Literal["1", "ms"]
    labels: list[MetricLabel] = []


class ExponentialBuckets(_Form):
    num_finite_buckets: Annotated[int, Field(gt=0, le=200)]
    growth_factor: Annotated[float, Field(gt=1)]
    scale: Annotated[float, Field(gt=0)]


class BucketOptions(_Form):
    exponential_buckets: ExponentialBuckets


class LogMetric(_Form):
    name: Annotated[str, StringConstraints(pattern=r"^\w{1,100}$")]
    description: Text
    filter: Text
    metric_descriptor: MetricDescriptor
    label_extractors: dict[str, Extractor] = {}
    value_extractor: Extractor | None = None
    bucket_options: BucketOptions | None = None


class Aggregation(_Form):
    alignment_period: Seconds
    per_series_aligner: Literal["ALIGN_DELTA", "ALIGN_NEXT_OLDER"]
    cross_series_reducer: Literal["REDUCE_SUM", "REDUCE_PERCENTILE_95", "REDUCE_COUNT_FALSE"]
    group_by_fields: list[Text] = []


class Trigger(_Form):
    count: Annotated[int, Field(gt=0)]


class MetricThreshold(_Form):
    filter: Filter
    aggregations: list[Aggregation]
    denominator_filter: Filter | None = None
    denominator_aggregations: list[Aggregation] = []
    comparison: Literal["COMPARISON_GT", "COMPARISON_LT"]
    """The API takes no other yet."""
    threshold_value: float
    duration: Seconds
    """At least 60s where the evaluation of missing data is told."""
    trigger: Trigger
    evaluation_missing_data: Literal["EVALUATION_MISSING_DATA_INACTIVE"]


class Condition(_Form):
    display_name: Text
    condition_threshold: MetricThreshold


class AlertStrategy(_Form):
    auto_close: Seconds


class Documentation(_Form):
    mime_type: Literal["text/markdown"]
    subject: Annotated[str, StringConstraints(pattern=r"^[^\n]{1,255}$")]
    content: Text


class AlertPolicy(_Form):
    display_name: Text
    severity: Literal["CRITICAL", "ERROR", "WARNING"]
    combiner: Literal["AND", "OR"]
    conditions: Annotated[list[Condition], Field(min_length=1, max_length=6)]
    alert_strategy: AlertStrategy
    documentation: Documentation
    user_labels: dict[Label, Label]


def metrics(prefix: str = "") -> dict[str, LogMetric]:
    """Return the log-based metrics of a deployment by their files' names."""
    return _read("metrics", prefix, LogMetric)


def alerts(prefix: str = "") -> dict[str, AlertPolicy]:
    """Return the alert policies of a deployment by their files' names."""
    return _read("alerts", prefix, AlertPolicy)


def _read(folder: str, prefix: str, form: type[ModelT]) -> dict[str, ModelT]:
    adapter = TypeAdapter(form)
    return {
        path.stem: adapter.validate_python(yaml.safe_load(_filled(path, prefix)))
        for path in sorted((INFRA / folder).glob("*.yaml"))
    }


def _filled(path: Path, prefix: str) -> str:
    text = path.read_text(encoding="utf-8")
    return text.replace("{prefix}", prefix).replace("{metric_prefix}", prefix.replace("-", "_"))
