"""May this be run at all: what a scan of the artifact found, and whether its image is one that the policy allows."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from lockkeeper.domain.artifact.findings import Report
from lockkeeper.domain.release import Outcome, Verdict

ARTIFACT, IMAGE = "artifact", "artifact: image"
NO_FINDINGS = "0 findings"


def judge_scan(report: Report, which: str = "") -> Verdict:
    """Nothing may be found; `which` says in front of the reason of what artifact it is, where there are several."""
    outcome = Outcome.FAILED if report.findings else Outcome.PASSED
    return Verdict(ARTIFACT, outcome, which + report.reason, float(len(report.findings)), NO_FINDINGS)


def judge_images(images: Sequence[str], patterns: tuple[str, ...]) -> Verdict:
    """One of the policy's shell patterns has to fit each image as the model package names it."""
    required = f"one of {', '.join(patterns)}" if patterns else "no image at all"
    measured = ", ".join(images)
    refused = [image for image in images if not any(fnmatchcase(image, pattern) for pattern in patterns)]
    if not refused:
        return Verdict(IMAGE, Outcome.PASSED, "the policy allows it", measured, required)
    why = f"container image {refused[0]} is not allowed by the policy (gates.artifact.images: {', '.join(patterns)})"
    return Verdict(IMAGE, Outcome.FAILED, why, measured, required)
