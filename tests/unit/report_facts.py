"""Facts of an imagined run, in the form that the demo leaves in report.json."""

from __future__ import annotations

from typing import Any


def release(version: int, status: str, verdicts: list[dict[str, Any]], seals: dict[str, str]) -> dict[str, Any]:
    """A release as `lockkeeper show --json` gives it, as far as the report reads it."""
    return {
        "release_id": f"wages-v{version}-a1",
        "version": version,
        "status": status,
        "reason": "promoted and watched" if status == "promoted" else "accuracy 0.6834 does not meet >= 0.7",
        "verdicts": verdicts,
        "pins": {"seals": seals},
    }


def verdict(gate: str, outcome: str, reason: str) -> dict[str, Any]:
    """One verdict as a release carries it."""
    return {"gate": gate, "verdict": outcome, "reason": reason, "measured": None, "required": None}


def story_facts() -> dict[str, Any]:
    """A run in which every chapter ended as it should."""
    good = [
        verdict("artifact", "passed", "4 globals, all allowed"),
        verdict("quality: binary_classification_metrics.accuracy.value", "passed", "0.7598 meets >= 0.7"),
        verdict("contract", "passed", "every request was answered as recorded"),
        verdict("replay: accuracy", "passed", "accuracy 0.7598 on 537 real answers meets >= 0.7"),
    ]
    bad = [verdict("quality: binary_classification_metrics.accuracy.value", "failed", "0.6834 does not meet >= 0.7")]
    return {
        **_frame(),
        "releases": [
            release(1, "promoted", good, {"judged": "a" * 64, "tested": "b" * 64}),
            release(2, "failed", bad, {"judged": "c" * 64}),
        ],
        "journeys": [{"version": 1, "states": _states()}],
        **_figures(),
    }


def _states() -> list[dict[str, Any]]:
    names = (
        "OpenRelease",
        "ScanArtifact",
        "JudgeCandidate",
        "RequestStagingApproval",
        "DeployToStaging",
        "TestStaging",
    )
    return [
        {
            "name": name,
            "note": "Ada Lindqvist was asked and approved" if "Approval" in name else "",
            "started_at": 100.0 + 2 * index,
            "ended_at": 102.0 + 2 * index,
            "failed": name == "TestStaging",
            "waits_for_people": "Approval" in name,
        }
        for index, name in enumerate(names)
    ]


def _frame() -> dict[str, Any]:
    return {
        "title": "A model goes up the locks, another is turned back",
        "summary": "Two versions of a wages model, trained on real data.",
        "ok": True,
        "seconds": 74.3,
        "started_at": "2026-11-24 03:12 UTC",
        "machine": "Python 3.11.2 on Linux, 2 cores",
        "clock_scale": 60,
        "chapters": [
            {
                "title": "A pipeline trains, evaluates and registers version 1",
                "ok": True,
                "seconds": 8.2,
                "problem": None,
                "checks": [{"what": "pipeline execution", "found": "Succeeded", "ok": True}],
            }
        ],
        "headline": [{"value": "0.760", "label": "accuracy of version 1"}],
    }


def _figures() -> dict[str, Any]:
    return {
        "quality": {
            "required": 0.70,
            "bars": [["version 1", 0.7598, True], ["version 2", 0.6834, False], ["always no", 0.6834, False]],
            "note": "537 rows of held-out people.",
        },
        "traffic": {
            "confusion_matrix": {"0": {"0": 240, "1": 46}, "1": {"0": 180, "1": 129}},
            "classes": ["below 800", "800 or more"],
            "latencies_ms": [4.0 + 0.01 * (index * 37 % 600) for index in range(595)],
            "note": "595 people of 1979.",
            "drift_note": "Wages rose.",
        },
        "takeovers": [
            {
                "version": 1,
                "answered": {
                    "old": [index / 10 for index in range(60)],
                    "new": [index / 10 for index in range(60, 100)],
                    "failed": [],
                },
                "note": "nobody, then version 1",
            },
            {
                "version": 2,
                "answered": {"old": [index / 10 for index in range(100)], "new": [], "failed": [5.0, 6.0]},
                "note": "version 2 beside version 1",
            },
        ],
        "drift": {
            "before": 6,
            "after": 9,
            "seconds": 60.0,
            "marks": [20.0, 120.0, 310.5],
            "events": ["people of 1981 and 1982 ask", "a retraining starts", "version 9 serves"],
            "parts": [
                {
                    "title": "Accuracy of what production answered",
                    "measured": [[0.0, 0.66, 6], [20.0, 0.51, 6], [59.0, 0.75, 9]],
                    "bound": 0.55,
                    "bound_words": "at least 0.55",
                    "note": "358 people.",
                },
                {
                    "title": "Distance of exp",
                    "measured": [[1.0, 0.08, 6], [25.0, 0.19, 6]],
                    "bound": 0.1,
                    "bound_words": "at most 0.1",
                    "note": "",
                },
            ],
        },
        "evidence": {
            "wages-v1-a1": [{"name": "artifact", "value": "sha256:" + "a" * 64}],
            "wages-v2-a1": [{"name": "artifact", "value": "sha256:" + "c" * 64}],
        },
    }
