"""Terraform's blocks and the API's objects in one form, to be compared."""

import re
from collections.abc import Mapping
from typing import Any

_SINGLE = {
    "alert_strategy",
    "bucket_options",
    "condition_threshold",
    "documentation",
    "exponential_buckets",
    "metric_descriptor",
    "trigger",
}
"""Blocks of which there is one at most: an object in the API, a list of one in a plan."""


def in_api_form(planned: object) -> Any:
    """Return planned values under the API's names, without those that are not given."""
    if isinstance(planned, list):
        return [in_api_form(each) for each in planned]
    if not isinstance(planned, Mapping):
        return planned
    return {
        _camel(name): in_api_form(value[0] if name in _SINGLE else _sorted(value))
        for name, value in planned.items()
        if value not in (None, [], {})
    }


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def _sorted(value: Any) -> Any:
    """Return a metric's labels, which a plan has in any order, by their keys."""
    is_labels = isinstance(value, list) and all(
        isinstance(each, Mapping) and "key" in each for each in value
    )
    return sorted(value, key=lambda label: label["key"]) if is_labels else value
