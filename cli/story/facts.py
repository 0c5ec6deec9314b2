"""Turns a played story into the facts of its report (the content of `report.json`)."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from typing import Any

from cli.report.figures import percentile
from cli.report.page import duration
from cli.story.chapters import Book
from cli.story.releasing import Releasing
from cli.story.watch import journey


def gather(
    book: Book, kind: type[Releasing], story: Releasing | None, began: datetime, clock_scale: float
) -> dict[str, Any]:
    """Gather what a story left behind, however far it came.

    Returns:
        JSON types only: `ok`, `chapters` with their checks, the releases as `lockkeeper show --json` gives them, their
        evaluation reports, and what each picture of the page is drawn from (None or empty when it was not measured).
    """
    releases = _releases(story)
    return {
        "title": kind.title,
        "summary": kind.summary,
        "ok": book.ok and story is not None and story.finished,
        "started_at": began.strftime("%Y-%m-%d %H:%M UTC"),
        "seconds": round((datetime.now(UTC) - began).total_seconds(), 1),
        "machine": f"Python {platform.python_version()} on {platform.system()}, {os.cpu_count()} processors",
        "clock_scale": clock_scale,
        "chapters": [chapter.to_json() for chapter in book.chapters],
        "releases": releases,
        "evaluations": {str(version): report for version, report in story.evaluations.items()} if story else {},
        "headline": _headline(releases, story),
        "journeys": [journey(one, story.watch.states(one)) for one in releases] if story else [],
        "quality": None,
        "traffic": None,
        "takeovers": [],
        "drift": None,
        **(story.pictures() if story else {}),
        "evidence": {one["release_id"]: _evidence(one) for one in releases},
    }


def _releases(story: Releasing | None) -> list[dict[str, Any]]:
    if story is None:
        return []
    found = (story.stage.read_release(story.release_id(version)) for version in sorted(story.package_arns))
    return [release for release in found if release is not None]


def _headline(releases: list[dict[str, Any]], story: Releasing | None) -> list[dict[str, str]]:
    items = [story.headline(story.evaluations[1])] if story and 1 in story.evaluations else []
    promoted = [release for release in releases if release["status"] == "promoted"]
    for release in promoted[:1]:
        ended, opened = (datetime.fromisoformat(release[name]) for name in ("ended_at", "opened_at"))
        items.append({"value": duration((ended - opened).total_seconds()), "label": "from registration to promotion"})
        items.append({"value": str(release["cost"]["transitions"]), "label": "billed state transitions"})
        items.append({"value": f"${release['cost']['usd']:.5f}", "label": "control plane, at AWS list prices"})
    latencies = story.latencies_ms if story else ()
    if latencies:
        middle = percentile(latencies, 0.5)
        items.append({"value": f"{middle:.1f} ms", "label": f"median of {len(latencies)} answers in production"})
    return items


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
