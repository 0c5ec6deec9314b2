"""What an example brings to its bucket: channels of jobs, the code of its jobs, recorded requests."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from jobs.evaluation.pack import pack

CSV = "text/csv"
JSON = "application/json"
TRAINING_CODE = ("train.py", "inference.py")
EVALUATION_CODE = "evaluation.zip"


def write_rows(file: Path, rows: pd.DataFrame) -> int:
    """Write a CSV file with a header. Returns the number of rows."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(file, index=False)
    return len(rows)


def write_code(folder: Path, example: Path) -> None:
    """Write the archives of the training job, whose scripts lie in the example's folder, and of the evaluation."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / "sourcedir.tar.gz", "w:gz") as archive:
        for name in TRAINING_CODE:
            content = (example / name).read_bytes()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    pack(folder / EVALUATION_CODE)


def write_cases(file: Path, cases: list[dict[str, Any]]) -> int:
    """Write recorded requests, one JSON object a line. Returns their number."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(case) + "\n" for case in cases), encoding="utf-8")
    return len(cases)


def answered(name: str, content_type: str, body: str, rows: int) -> dict[str, Any]:
    """A request that has to be answered with so many rows, which begin with a number."""
    expect = {"status": 200, "content_type": content_type, "rows": rows, "numeric": True}
    return {"name": name, "content_type": content_type, "accept": content_type, "body": body, "expect": expect}


def refused(name: str, content_type: str, body: str, status: int = 400) -> dict[str, Any]:
    """A request that has to be refused."""
    return {"name": name, "content_type": content_type, "body": body, "expect": {"status": status}}


def recorded_requests(
    features: Sequence[str], plain_row: str, hostile: Mapping[str, str], left_out: str
) -> list[dict[str, Any]]:
    """Build the recorded requests: good ones in every shape a caller may use, then hostile ones (status 400 or 415).

    Args:
        features: the columns, in serving order.
        plain_row: a good row of CSV.
        hostile: CSV bodies that a careful container refuses, by what is wrong with them.
        left_out: a column without which there is no answer.
    """
    cells = zip(features, plain_row.split(","), strict=True)
    instance = {name: int(cell) if cell.isdigit() else cell for name, cell in cells}
    good = [
        answered("one row of CSV", CSV, plain_row, 1),
        answered("three rows of CSV", CSV, "\n".join([plain_row] * 3), 3),
        answered("CSV with blanks and Windows line ends", CSV, f"{plain_row.replace(',', ' , ')}\r\n", 1),
        answered("one JSON object", JSON, json.dumps({"instances": [instance]}), 1),
        answered("two JSON lists", JSON, json.dumps({"instances": [list(instance.values())] * 2}), 2),
    ]
    without = {"instances": [{**instance, left_out: None}]}
    return [
        *good,
        *(refused(name, CSV, body) for name, body in hostile.items()),
        refused("JSON without instances", JSON, json.dumps({"rows": [instance]})),
        refused(f"a JSON object without {left_out}", JSON, json.dumps(without)),
        refused("JSON nested beyond reason", JSON, "[" * 100_000),
        refused("a pickle", "application/x-pickle", "cos\nsystem\n(S'true'\ntR.", status=415),
    ]
