"""What an example brings to its bucket: channels of jobs, the code of its jobs, recorded requests."""

from __future__ import annotations

import io
import json
import tarfile
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
