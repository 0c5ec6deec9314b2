"""Traffic as SageMaker captures it, ground truth as people write it, and the monitor started over them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs.drift_monitor.main import main

BEGINS = datetime(2026, 3, 2, 8, tzinfo=UTC)
ENDS = BEGINS + timedelta(hours=4)
CAPTURE = "s3://traffic/captured/wages/AllTraffic"
TRUTH = "s3://traffic/truth"
RELEASE = "wages-v3-a1"


@dataclass
class Look:
    """What one run of the job left."""

    status: int
    message: str
    folder: Path

    def document(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text())

    @property
    def violations(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.document("constraint_violations.json")["violations"]
        return found

    @property
    def kinds(self) -> set[tuple[str, str]]:
        """What was violated: feature or metric, and the check."""
        return {
            (one.get("feature_name") or one["metric_name"], one["constraint_check_type"]) for one in self.violations
        }

    @property
    def reasons(self) -> str:
        return "; ".join(self.document("statistics.json")["lockkeeper"]["reasons"])


@dataclass
class Traffic:
    """A folder of buckets, the version's baseline and what the job is asked."""

    root: Path
    monkeypatch: pytest.MonkeyPatch
    asked: dict[str, Any] = field(default_factory=lambda: {"capture": CAPTURE, "baseline_release": RELEASE})
    count: int = 0

    def write(self, uri: str, text: str | bytes) -> Path:
        path = self.root / "buckets" / uri.removeprefix("s3://")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def baseline(self, text: str, name: str = "baseline.csv") -> None:
        folder = self.root / "baseline"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)

    def ask(
        self, body: str, answer: str = "", *, hours: float = 0.5, encoding: str = "CSV", name: str = ""
    ) -> dict[str, Any]:
        """A request and its answer as one captured record, so long after the window's beginning."""
        at = BEGINS + timedelta(hours=hours)
        self.count += 1
        sides = {"endpointInput": side(body, encoding), "endpointOutput": side(answer, encoding)}
        return {
            "captureData": {key: told for key, told in sides.items() if key == "endpointInput" or answer},
            "eventMetadata": {"eventId": name or f"event-{self.count}", "inferenceTime": f"{at:%Y-%m-%dT%H:%M:%SZ}"},
            "eventVersion": "0",
        }

    def capture(self, *records: dict[str, Any], hours: float = 0.5) -> None:
        """One object in the hour in which it was written."""
        at = BEGINS + timedelta(hours=hours)
        lines = "".join(f"{json.dumps(one)}\n" for one in records)
        self.count += 1
        self.write(f"{CAPTURE}/{at:%Y/%m/%d/%H}/{self.count:06d}.jsonl", lines)

    def truth(self, labels: dict[str, str], *, hours: float = 1.5) -> None:
        """Ground truth of requests by their names."""
        at = BEGINS + timedelta(hours=hours)
        lines = [
            json.dumps(
                {
                    "groundTruthData": {"data": label, "encoding": "CSV"},
                    "eventMetadata": {"eventId": name},
                    "eventVersion": "0",
                }
            )
            for name, label in labels.items()
        ]
        self.write(f"{TRUTH}/{at:%Y/%m/%d/%H}/labels-{hours}.jsonl", "\n".join(lines))

    def look(self) -> Look:
        for name, value in {
            "GROUP": "wages",
            "RELEASE": RELEASE,
            "ENDPOINT": "wages",
            "WINDOW_FROM": f"{BEGINS:%Y-%m-%dT%H:%M:%S.000Z}",
            "WINDOW_TO": f"{ENDS:%Y-%m-%dT%H:%M:%SZ}",
        }.items():
            self.monkeypatch.setenv(f"LOCKKEEPER_{name}", value)
        given, left, message = self.root / "job", self.root / "left", self.root / "message"
        given.mkdir(exist_ok=True)
        (given / "monitor.json").write_text(json.dumps(self.asked))
        words = ["--given", given, "--baseline", self.root / "baseline", "--left", left, "--message", message]
        status = main([*map(str, words), "--buckets", str(self.root / "buckets")])
        return Look(status, message.read_text(), left)


def side(data: str, encoding: str) -> dict[str, str]:
    """One side of a record; base 64 is that of CSV."""
    if encoding == "BASE64":
        data = base64.b64encode(data.encode()).decode()
    kind = "application/json" if encoding == "JSON" else "text/csv"
    return {"observedContentType": kind, "mode": "INPUT", "data": data, "encoding": encoding}


def of_model_monitor(traffic: Traffic, features: dict[str, Any], config: dict[str, Any] | None = None) -> None:
    """The two files that Model Monitor makes of columns of numbers or texts."""
    statistics, limits = [], []
    for name, cells in features.items():
        common = {"num_present": len(cells), "num_missing": 0}
        if isinstance(cells[0], str):
            buckets = [{"value": one, "count": cells.count(one)} for one in sorted(set(cells))]
            told = {"string_statistics": {"common": common, "distribution": {"categorical": {"buckets": buckets}}}}
            limit = {"inferred_type": "String", "string_constraints": {"domains": sorted(set(cells))}}
        else:
            sketch = {"parameters": {"c": 0.64, "k": 2048.0}, "data": [cells]}
            distribution = {"kll": {"buckets": [], "sketch": sketch}}
            told = {"numerical_statistics": {"common": common, "distribution": distribution}}
            kind = "Integral" if all(float(one).is_integer() for one in cells) else "Fractional"
            limit = {"inferred_type": kind, "num_constraints": {"is_non_negative": True}}
        statistics.append({"name": name, "inferred_type": limit["inferred_type"], **told})
        limits.append({"name": name, "completeness": 1.0, **limit})
    traffic.baseline(json.dumps({"version": 0, "features": statistics}), "statistics.json")
    constraints = {"version": 0, "features": limits, "monitoring_config": config or {}}
    traffic.baseline(json.dumps(constraints), "constraints.json")


@pytest.fixture
def traffic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Traffic:
    return Traffic(tmp_path, monkeypatch)
