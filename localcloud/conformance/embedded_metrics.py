"""CloudWatch's Embedded Metric Format: log lines that are metrics.

Source: the CloudWatch user guide, "Specification: Embedded metric format".
"""

import json
from typing import Any

from ministack.services import cloudwatch


def publish_embedded_metrics(line: str) -> None:
    """Publish every metric of one log line; a line that is not such a document is left alone."""
    start = line.find("{")
    if start < 0 or '"_aws"' not in line:
        return
    try:
        document = json.loads(line[start:])
    except ValueError:
        return
    metadata = document.get("_aws") if isinstance(document, dict) else None
    if isinstance(metadata, dict):
        for directive in metadata.get("CloudWatchMetrics") or []:
            publish_directive(directive, document)


def publish_directive(directive: dict[str, Any], document: dict[str, Any]) -> None:
    """Publish each metric of a directive once per dimension set."""
    for names in directive.get("Dimensions") or [[]]:
        dimensions = {name: str(document[name]) for name in names if name in document}
        for metric in directive.get("Metrics") or []:
            values = document.get(metric.get("Name"))
            for value in values if isinstance(values, list) else [values]:
                if isinstance(value, int | float) and not isinstance(value, bool):
                    cloudwatch.record_metric(
                        directive["Namespace"], metric["Name"], value, metric.get("Unit", "None"), dimensions
                    )
