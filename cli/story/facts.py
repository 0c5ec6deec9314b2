"""Turns a played story into the facts of its report (the content of `report.json`)."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from typing import Any

from lockkeeper.domain.policy import parse_policy

from cli.report.figures import percentile
from cli.report.page import duration
from cli.story.chapters import Book
from cli.story.takeovers import Takeover
from cli.story.traffic import Traffic
from cli.story.wages import WagesStory
from cli.story.watch import journey

TITLE = "Two models go up the locks, six are turned back"
SUMMARY = (
    "Eight versions of a wages model, trained on real data by a SageMaker pipeline, went the way from the registry to "
    "production on a laptop: the real template, the real functions, the real state machine and real models, on an "
    "emulated AWS."
)
CLASSES = ("below 800", "800 or more")


def gather(book: Book, story: WagesStory | None, began: datetime, clock_scale: float) -> dict[str, Any]:
    """Gather what a story left behind, however far it came.

    Returns:
        JSON types only: `ok`, `chapters` with their checks, the releases as `lockkeeper show --json` gives them, their
        evaluation reports, and what each picture of the page is drawn from (None or empty when it was not measured).
    """
    releases = _releases(story)
    traffic = story.traffic if story else None
    return {
        "title": TITLE,
        "summary": SUMMARY,
        "ok": book.ok and story is not None and story.finished,
        "started_at": began.strftime("%Y-%m-%d %H:%M UTC"),
        "seconds": round((datetime.now(UTC) - began).total_seconds(), 1),
        "machine": f"Python {platform.python_version()} on {platform.system()}, {os.cpu_count()} processors",
        "clock_scale": clock_scale,
        "chapters": [chapter.to_json() for chapter in book.chapters],
        "releases": releases,
        "evaluations": {str(version): report for version, report in story.evaluations.items()} if story else {},
        "headline": _headline(releases, story, traffic),
        "journeys": [journey(one, story.watch.states(one)) for one in releases] if story else [],
        "quality": _quality(story) if story and story.evaluations else None,
        "traffic": _traffic(traffic) if traffic else None,
        "takeovers": [_takeover(one) for one in story.takeovers] if story else [],
        "evidence": {one["release_id"]: _evidence(one) for one in releases},
    }


def _releases(story: WagesStory | None) -> list[dict[str, Any]]:
    if story is None:
        return []
    found = (story.stage.read_release(story.release_id(version)) for version in sorted(story.package_arns))
    return [release for release in found if release is not None]


def _metrics(story: WagesStory, version: int) -> dict[str, Any]:
    metrics: dict[str, Any] = story.evaluations[version]["binary_classification_metrics"]
    return metrics


def _headline(
    releases: list[dict[str, Any]], story: WagesStory | None, traffic: Traffic | None
) -> list[dict[str, str]]:
    items = []
    if story and 1 in story.evaluations:
        accuracy = _metrics(story, 1)["accuracy"]["value"]
        items.append({"value": f"{accuracy:.3f}", "label": "accuracy of version 1 on people it never saw"})
    promoted = [release for release in releases if release["status"] == "promoted"]
    for release in promoted[:1]:
        ended, opened = (datetime.fromisoformat(release[name]) for name in ("ended_at", "opened_at"))
        items.append({"value": duration((ended - opened).total_seconds()), "label": "from registration to promotion"})
        items.append({"value": str(release["cost"]["transitions"]), "label": "billed state transitions"})
        items.append({"value": f"${release['cost']['usd']:.5f}", "label": "control plane, at AWS list prices"})
    if traffic:
        middle = percentile(traffic.latencies_ms, 0.5)
        items.append({"value": f"{middle:.1f} ms", "label": f"median of {len(traffic.answers)} answers in production"})
    return items


def _quality(story: WagesStory) -> dict[str, Any]:
    policy = parse_policy(story.policy_text, source="policy.yaml")
    required = next(rule.at_least for rule in policy.gates.quality if rule.at_least is not None)
    first = _metrics(story, min(story.evaluations))
    bars = [
        [f"version {version}", _metrics(story, version)["accuracy"]["value"]] for version in sorted(story.evaluations)
    ]
    bars.append(["always the same answer", first["accuracy_best_constant_classifier"]["value"]])
    rows = story.evaluations[min(story.evaluations)]["dataset"]["item_count"]
    return {
        "required": required,
        "bars": [[label, value, value >= required] for label, value in bars],
        "note": f"Accuracy on {rows} rows of people whom no version was trained on. Version 1 reads eight columns, version "
        "2 weeks worked and region only: that is no better than to give everybody the same answer. Version 3 is told sex, "
        "marriage and colour too: more accurate, and stopped for what it does to women. Version 4 is a forest of "
        "2,000 trees, stopped because it answers too slowly; version 6 has fifty.",
    }


def _traffic(traffic: Traffic) -> dict[str, Any]:
    return {
        "rows": len(traffic.answers),
        "accuracy": traffic.accuracy,
        "majority_share": traffic.majority_share,
        "confusion_matrix": traffic.confusion_matrix,
        "classes": list(CLASSES),
        "latencies_ms": list(traffic.latencies_ms),
        "variants": list(traffic.variants),
        "note": f"All {len(traffic.answers)} people of 1979, one request each: dollars a week, as answered by the "
        f"endpoint and as earned. Accuracy {traffic.accuracy:.3f}; always the same answer: "
        f"{traffic.majority_share:.3f}.",
        "drift_note": "The model learned in 1976 to 1978. By 1979 inflation had lifted many people over 800 dollars, "
        "and the model still answers as if it had not: this is what drift looks like.",
    }


def _takeover(takeover: Takeover) -> dict[str, Any]:
    began = takeover.asked[0].at
    answers = list(zip(takeover.asked, takeover.kinds, strict=True))
    answered = {
        kind: [round(one.at - began, 3) for one, its in answers if its == kind] for kind in ("old", "new", "failed")
    }
    return {"version": takeover.version, "answered": answered, "note": takeover.note}


def _evidence(release: dict[str, Any]) -> list[dict[str, str]]:
    pins = release["pins"]
    facts = {
        "model package": release["model_package_arn"],
        "artifact, SHA-256": ", ".join(one["sha256"] for one in pins["artifacts"]),
        "image": ", ".join(pins["images"]),
        "policy version": pins["policy"].get("version_id", ""),
        "policy, SHA-256": pins["policy"].get("sha256", ""),
        "seal when judged": pins["seals"].get("judged", ""),
        "seal when tested": pins["seals"].get("tested", ""),
        "decisions": "; ".join(
            f"{one['approver']}, {one['answer']}, {one['at']}, by {one['channel']}: {one['comment']}"
            for one in release["approvals"]
        ),
        "transitions and cost": f"{release['cost']['transitions']}, ${release['cost']['usd']:.6f} at list prices",
    }
    return [{"name": name, "value": value} for name, value in facts.items() if value]
