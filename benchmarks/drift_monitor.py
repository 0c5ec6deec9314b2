"""The monitor over 10,000 and over 1,000,000 captured rows: its memory does not grow with them.

`python -m benchmarks.drift_monitor [ROWS]` writes traffic of ten columns, ten rows a request, with ground truth of each, and
runs the monitor over it in a process of its own. What is held against each other is the most memory that the two had, beyond
what the same program needs for a hundred rows; seconds are this machine's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.scan import peak_megabytes

FEW, MANY = 10_000, 1_000_000
GROWTH_MB = 64
"""The sample of answers that metrics are computed of, and the sketches, grow until they are full."""

HOUR = "2026/03/02/08"
WINDOW = {"FROM": "2026-03-02T08:00:00Z", "TO": "2026-03-02T09:00:00Z"}
ROWS_A_REQUEST, REQUESTS_A_FILE = 10, 1_000


def write_traffic(folder: Path, rows: int) -> None:
    """Captured requests, what was true, a baseline and what the job is asked."""
    chance = np.random.default_rng(7)
    requests = rows // ROWS_A_REQUEST
    for first in range(0, requests, REQUESTS_A_FILE):
        captured, true = [], []
        for number in range(first, min(first + REQUESTS_A_FILE, requests)):
            numbers, labels = chance.normal(size=(ROWS_A_REQUEST, 9)), chance.integers(0, 2, ROWS_A_REQUEST)
            body = "\n".join(
                f"{','.join(f'{one:.6f}' for one in row)},{'abc'[label]}"
                for row, label in zip(numbers, labels, strict=True)
            )
            answer = "\n".join(f"{label},0.{label + 4}" for label in labels)
            told = {"eventId": f"event-{number}", "inferenceTime": "2026-03-02T08:30:00Z"}
            sides = {name: {"observedContentType": "text/csv", "mode": "INPUT", "data": data, "encoding": "CSV"}
                     for name, data in (("endpointInput", body), ("endpointOutput", answer))}  # fmt: skip
            captured.append(json.dumps({"captureData": sides, "eventMetadata": told, "eventVersion": "0"}))
            data = {"data": "\n".join(map(str, chance.integers(0, 2, ROWS_A_REQUEST))), "encoding": "CSV"}
            true.append(json.dumps({"groundTruthData": data, "eventMetadata": told, "eventVersion": "0"}))
        for kind, lines in (("captured", captured), ("truth", true)):
            path = folder / "buckets" / "bucket" / kind / HOUR / f"{first:08d}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines))
    names = ["label", *(f"number {n}" for n in range(9)), "letter"]
    table = [",".join(["0", *(f"{one:.6f}" for one in row), "a"]) for row in chance.normal(size=(5_000, 9))]
    (folder / "baseline.csv").write_text("\n".join([",".join(names), *table]))
    asked = {
        "capture": "s3://bucket/captured",
        "baseline_release": "group-v1-a1",
        "ground_truth": "s3://bucket/truth",
        "question": {"problem_type": "BinaryClassification"},
        "at_least": {"accuracy": 0.7},
    }
    (folder / "monitor.json").write_text(json.dumps(asked))


def run(rows: int) -> dict[str, float]:
    """Megabytes and seconds of the monitor over so many rows."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_traffic(folder, rows)
        command = [sys.executable, "-m", "benchmarks.drift_monitor", "--monitor", str(folder)]
        about = {"GROUP": "group", "RELEASE": "group-v1-a1", "ENDPOINT": "endpoint"}
        windows = {f"LOCKKEEPER_WINDOW_{name}": value for name, value in WINDOW.items()}
        environment = {**os.environ, **windows, **{f"LOCKKEEPER_{name}": value for name, value in about.items()}}
        finished = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        measured: dict[str, float] = json.loads(finished.stdout.splitlines()[-1])
        statistics = json.loads((folder / "left" / "statistics.json").read_text())
        if statistics["dataset"]["item_count"] != rows:
            raise SystemExit(f"not all rows were read: {statistics['lockkeeper']['reasons']}")
        return measured


def monitor(folder: Path) -> dict[str, float]:
    """The monitor itself, in this process."""
    from jobs.drift_monitor.main import main as run_job

    begun = time.process_time()
    places = ["--given", folder, "--baseline", folder, "--left", folder / "left", "--message", folder / "message"]
    status = run_job([*map(str, places), "--buckets", str(folder / "buckets")])
    if status:
        raise SystemExit(status)
    return {"megabytes": peak_megabytes(), "seconds": time.process_time() - begun}


def main(most: int) -> int:
    """Print what a few and many rows take; 1 when memory grows with them."""
    alone = run(100)
    few, many = run(FEW), run(most)
    grown = many["megabytes"] - few["megabytes"]
    print(
        f"monitor over {FEW} rows: {few['megabytes']:.0f} MB, {few['seconds']:.1f} s; over {most} rows: "
        f"{many['megabytes']:.0f} MB, {many['seconds']:.0f} s; {alone['megabytes']:.0f} MB are the program's own, and "
        f"{grown:.0f} MB (at most {GROWTH_MB}) are what {most // FEW} times the rows take"
    )
    return int(grown > GROWTH_MB)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--monitor"]:
        print(json.dumps(monitor(Path(sys.argv[2]))))
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else MANY))
