"""The dossier: a release's evidence as canonical JSON, sealed by its SHA-256."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from lockkeeper.domain.release import Release, Verdict


def canonical_json(document: Any) -> bytes:
    """The one byte form of a document: sorted keys, no spaces, ASCII, no NaN (a `ValueError`)."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def seal(document: Any) -> str:
    """SHA-256 (hex) of the canonical form."""
    return hashlib.sha256(canonical_json(document)).hexdigest()


def dossier(release: Release, verdicts: tuple[Verdict, ...], evidence: dict[str, Any], kind: str) -> dict[str, Any]:
    """What was known when the seal `kind` (`judged` or `tested`) was set. The second contains the first seal."""
    return {
        "kind": kind,
        "release_id": release.release_id,
        "model_package_arn": release.model_package_arn,
        "pins": asdict(release.pins),
        "verdicts": [{**asdict(verdict), "verdict": str(verdict.verdict)} for verdict in verdicts],
        "evidence": evidence,
    }
