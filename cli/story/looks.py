"""What the jobs of Lockkeeper's monitor have left in its bucket."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cli.story.stage import Stage

ENDED = "/constraint_violations.json"
VERSION = re.compile(r"-v(\d+)-a\d+$")


@dataclass(frozen=True)
class Look:
    """What one job found: until when it looked (seconds since the epoch), at how many rows, and which features violate.

    `distances` has for each feature how far it was from the version's baseline, and how far it may be.
    """

    job: str
    version: int
    until: float
    rows: int
    distances: dict[str, tuple[float, float]]
    violations: tuple[str, ...]


def read_looks(stage: Stage, group: str) -> list[Look]:
    """Every job's findings about a group, in the order of their windows."""
    bucket = stage.stack.outputs["BucketName"]
    pages = stage.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"monitoring/{group}/")
    keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
    # A job's own document of all violations lies in its folder; those of each kind, one level below.
    folders = [key.removesuffix(ENDED) for key in keys if key.endswith(ENDED) and key.count("/") == 3]
    return sorted((_read_look(stage, f"s3://{bucket}/{folder}") for folder in folders), key=lambda one: one.until)


def _read_look(stage: Stage, folder: str) -> Look:
    statistics = stage.read_json(f"{folder}/statistics.json")
    about = statistics["lockkeeper"]
    named = VERSION.search(about["release_id"])
    found = stage.read_json(f"{folder}{ENDED}")["violations"]
    return Look(
        job=folder.rpartition("/")[2],
        version=int(named[1]) if named else 0,
        until=datetime.fromisoformat(about["window"][1]).timestamp(),
        rows=int(statistics["dataset"]["item_count"]),
        distances={one["feature"]: (one["measured"], one["threshold"]) for one in about["distances"]},
        violations=tuple(str(one.get("feature_name") or one.get("metric_name")) for one in found),
    )
