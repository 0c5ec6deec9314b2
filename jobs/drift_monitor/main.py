"""The entry point of the monitor: one window of an endpoint's traffic in, three documents and one sentence out."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Mapping, Sequence

import pandas as pd

from jobs.drift_monitor import cloudwatch, data_quality, model_quality
from jobs.drift_monitor.asked import Asked, read_asked
from jobs.drift_monitor.baseline import Baseline, read_baseline
from jobs.drift_monitor.capture import Skipped, events
from jobs.drift_monitor.data_quality import Traffic
from jobs.drift_monitor.errors import MonitorError
from jobs.drift_monitor.merged import Merged
from jobs.drift_monitor.model_quality import BiasBound, Question
from jobs.drift_monitor.objects import FolderObjects, Objects, S3Objects
from jobs.drift_monitor.truth import GroundTruth
from jobs.evaluation.errors import EvaluationError
from jobs.evaluation.report import Problem

LONGEST_MESSAGE = 1024
STATISTICS, CONSTRAINTS, VIOLATIONS = "statistics.json", "constraints.json", "constraint_violations.json"
DATA, QUALITY, BIAS = "data_quality", "model_quality", "bias"


@dataclass
class Found:
    """What was found: by kind its three documents, why something was not judged, and metrics."""

    kinds: dict[str, list[Any]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    distances: list[data_quality.Distance] = field(default_factory=list)
    rows: int = 0

    @property
    def violations(self) -> list[dict[str, str]]:
        return [one for documents in self.kinds.values() for one in documents[2]]

    @property
    def message(self) -> str:
        """The ExitMessage, which begins as Model Monitor's does."""
        told = [_in_short(one) for one in self.violations]
        begins = "CompletedWithViolations" if told else "Completed"
        counted = f"{self.rows} rows, {len(told)} violations"
        return f"{begins}: {'; '.join([counted, *told, *self.reasons])}"[:LONGEST_MESSAGE]


def _in_short(violation: Mapping[str, str]) -> str:
    of = violation.get("feature_name") or violation.get("metric_name") or ""
    facet = f" of {violation['facet']}={violation['facet_value']}" if "facet" in violation else ""
    return f"{of}{facet}: {violation['constraint_check_type']}: {violation['description']}"


def monitor(asked: Asked, baseline_folder: Path, objects: Objects) -> Found:
    """Look at the window's traffic; whatever it holds, there is an answer.

    Raises:
        MonitorError: the traffic cannot be read at all.
    """
    found, skipped = Found(), Skipped()
    baseline = _baseline(asked, baseline_folder, found)
    traffic = Traffic(baseline, frozenset(asked.ignore))
    with tempfile.TemporaryDirectory() as folder, GroundTruth(Path(folder)) as truth:
        merged = _merged(asked, truth, traffic, objects, found)
        at_once = merged is not None and not asked.ground_truth_delay
        for event in events(objects, asked.capture, asked.window, skipped):
            traffic.add(event.rows, event.answers)
            if at_once and merged is not None:
                merged.add(event)
        traffic.measure()
        if merged is not None and not at_once:
            _merge_earlier(asked, merged, objects)
        found.rows = traffic.rows
        found.reasons += skipped.in_words
        _judge_traffic(asked, traffic, found)
        if merged is not None:
            _judge_answers(asked, merged, found)
    return found


def _baseline(asked: Asked, folder: Path, found: Found) -> Baseline | None:
    if asked.no_baseline:
        found.reasons.append(f"data quality was not judged: {asked.no_baseline}")
        return None
    if asked.baseline_release != asked.release:
        why = f"the baseline is that of {asked.baseline_release or 'no release'}, and {asked.release} serves"
        found.reasons.append(f"data quality was not judged: {why}")
        return None
    try:
        return read_baseline(folder, asked.baseline_sha256)
    except MonitorError as error:
        found.reasons.append(f"data quality was not judged: {error}")
        return None


def _merged(asked: Asked, truth: GroundTruth, traffic: Traffic, objects: Objects, found: Found) -> Merged | None:
    if not asked.ground_truth:
        return None
    if asked.question is None:
        found.reasons.append("model quality was not judged: nobody has said of which kind the model's problem is")
        return None
    window = asked.window.earlier(asked.ground_truth_delay)
    try:
        known = truth.read(objects, asked.ground_truth, window, asked.window.ends)
    except MonitorError as error:
        found.reasons.append(f"model quality was not judged: {error}")
        return None
    if truth.unreadable:
        found.reasons.append(f"{truth.unreadable} lines of ground truth were left out: no record of it")
    if not known:
        found.reasons.append("model quality was not judged: there is no ground truth yet")
        return None
    return Merged(truth, traffic.names, sorted({one.facet for one in asked.bias}))


def _merge_earlier(asked: Asked, merged: Merged, objects: Objects) -> None:
    """Ground truth comes late: what it is about was asked as much earlier."""
    for event in events(objects, asked.capture, asked.window.earlier(asked.ground_truth_delay), Skipped()):
        merged.add(event)


def _judge_traffic(asked: Asked, traffic: Traffic, found: Found) -> None:
    if not traffic.rows:
        found.reasons.append(f"nothing was captured from {asked.window.begins} to {asked.window.ends}")
    limits = asked.limits(traffic.baseline.config if traffic.baseline else {})
    violated: list[dict[str, str]] = []
    if traffic.rows and traffic.rows < asked.minimum_rows:
        found.reasons.append(f"data quality was not judged: {asked.minimum_rows} rows are needed for it")
    elif traffic.rows and traffic.baseline:
        violated = data_quality.violations(traffic, limits)
        if not limits.evaluated:
            found.reasons.append("data quality was not judged: the baseline's evaluate_constraints is Disabled")
        elif not limits.compared:
            found.reasons.append("distances were not judged: the baseline's perform_comparison is Disabled")
    found.distances = list(data_quality.distances(traffic, limits))
    against = (
        data_quality.constraints(traffic.baseline, limits) if traffic.baseline else {"version": 0.0, "features": []}
    )
    found.kinds[DATA] = [data_quality.statistics(traffic), against, violated]
    found.metrics += cloudwatch.of_traffic(traffic, found.distances)


def _judge_answers(asked: Asked, merged: Merged, found: Found) -> None:
    if merged.mismatched:
        found.reasons.append(
            f"ground truth of {merged.mismatched} requests has another number of rows, and was left out"
        )
    if merged.rows < asked.minimum_rows or asked.question is None:
        why = (
            f"of {merged.answered} answers the truth of {merged.rows} is known, {asked.minimum_rows} are needed for it"
        )
        found.reasons.append(f"model quality was not judged: {why}")
        return
    table = merged.table()
    try:
        problem = model_quality.problem(asked.question, table)
        report, limits, violated = model_quality.quality(problem, asked.bounds)
    except EvaluationError as error:
        found.reasons.append(f"model quality was not judged: {error}")
        return
    found.kinds[QUALITY] = [report, limits, violated]
    found.metrics += cloudwatch.of_quality(report, problem.key)
    if not asked.bounds:
        found.reasons.append("model quality has no bound that it could violate")
    _judge_bias(asked.bias, asked.question, problem, table, found)


def _judge_bias(
    bounds: Sequence[BiasBound], question: Question, problem: Problem, table: pd.DataFrame, found: Found
) -> None:
    unknown = model_quality.unknown_facets(table, bounds)
    if unknown:
        found.reasons.append(f"bias was not judged: requests do not have the column {', '.join(unknown)} of the facet")
    # One facet that requests lack says nothing about the others.
    known = [one for one in bounds if one.facet not in unknown]
    if not known:
        return
    try:
        analysis, limits, violated = model_quality.bias(problem, question, table, known)
    except EvaluationError as error:
        found.reasons.append(f"bias was not judged: {error}")
        return
    found.kinds[BIAS] = [analysis, limits, violated]
    found.metrics += cloudwatch.of_bias(analysis)


def write(found: Found, asked: Asked, folder: Path) -> None:
    """Leave the documents: of data quality with everybody's violations, and of each kind in a folder of its own where there are several."""
    about = {
        "model_package_group": asked.group,
        "release_id": asked.release,
        "endpoint": asked.endpoint,
        "window": [asked.window.begins.isoformat(), asked.window.ends.isoformat()],
        "reasons": found.reasons,
        "distances": [
            {"feature": one.feature, "method": one.method, "measured": one.measured, "threshold": one.threshold, "exact": one.exact}
            for one in found.distances
        ],
    }  # fmt: skip
    statistics, limits, _ = found.kinds[DATA]
    _leave(folder, [{**statistics, "lockkeeper": about}, limits, found.violations])
    if len(found.kinds) > 1:
        for kind, documents in found.kinds.items():
            _leave(folder / kind, documents)


def _leave(folder: Path, documents: Sequence[Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    statistics, limits, violations = documents
    for name, document in ((STATISTICS, statistics), (CONSTRAINTS, limits), (VIOLATIONS, {"violations": violations})):
        (folder / name).write_text(json.dumps(document, indent=2, allow_nan=False), encoding="utf-8")


def main(words: Sequence[str] | None = None) -> int:
    """Run the job; returns its exit status."""
    parser = argparse.ArgumentParser(prog="monitor", description=__doc__)
    parser.add_argument("--given", type=Path, required=True, help="folder with monitor.json")
    parser.add_argument("--baseline", type=Path, help="folder of the version's baseline, if it has one")
    parser.add_argument("--left", type=Path, required=True, help="folder for the documents")
    parser.add_argument("--message", type=Path, required=True, help="file for what is said at the end")
    parser.add_argument("--buckets", type=Path, help="a folder that holds a folder for each bucket, in place of S3; "
                        "no metrics are sent then")  # fmt: skip
    given = parser.parse_args(words)
    try:
        asked = read_asked(given.given / "monitor.json", os.environ)
        objects: Objects = FolderObjects(given.buckets) if given.buckets else S3Objects()
        found = monitor(asked, given.baseline or given.given, objects)
        write(found, asked, given.left)
    except MonitorError as error:
        return _say(str(error), given.message, 1)
    if given.buckets is None:
        _publish(asked, found)
    return _say(found.message, given.message, 0)


def _publish(asked: Asked, found: Found) -> None:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    metrics = [*found.metrics, *cloudwatch.of_violations(len(found.violations))]
    try:
        # The last moment of the window, so that a metric lies in the time that it is about.
        at = asked.window.ends - timedelta(seconds=1)
        cloudwatch.publish(boto3.client("cloudwatch"), asked.endpoint, at, metrics)
    except (BotoCoreError, ClientError) as error:
        # What was found matters more than its graph.
        found.reasons.append(f"metrics were not published: {error}")


def _say(message: str, file: Path, status: int) -> int:
    (sys.stderr if status else sys.stdout).write(f"{message}\n")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(message[:LONGEST_MESSAGE], encoding="utf-8")
    return status
