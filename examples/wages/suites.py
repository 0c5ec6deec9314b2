"""Writes what the staging endpoint is tested with: recorded requests and held-out rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from examples.wages.data import FEATURES, LABEL

CSV = "text/csv"
JSON = "application/json"
PLAIN_ROW = "12,48,no,yes,no,yes,no,16"
"""Twelve years of work, 48 weeks a year, white collar, manufacturing, not in the south, city, no union, 16 years of
school."""

HOSTILE_BODIES = {
    "a column is missing": "12,48,no,yes,no,yes,no",
    "a column too many": f"{PLAIN_ROW},1",
    "a word where a number belongs": "twelve,48,no,yes,no,yes,no,16",
    "not a number": "nan,48,no,yes,no,yes,no,16",
    "an infinite number": "1e999,48,no,yes,no,yes,no,16",
    "a category nobody has": "12,48,maybe,yes,no,yes,no,16",
    "a spreadsheet formula": '12,48,"=HYPERLINK(""http://example.com"")",yes,no,yes,no,16',
    "markup": "12,48,<script>alert(1)</script>,yes,no,yes,no,16",
    "a header by mistake": f"{','.join(FEATURES)}\n{PLAIN_ROW}",
    "one bad row among good ones": f"{PLAIN_ROW}\n12,48,no,yes,no,yes,no,\n{PLAIN_ROW}",
    "nothing": "",
}
"""CSV bodies that a careful container refuses; every one differs from a good request in one way."""


def contract_cases() -> list[dict[str, Any]]:
    """Build the recorded requests: good ones in every shape a caller may use, then hostile ones (status 400 or 415)."""
    instance = {
        name: int(cell) if cell.isdigit() else cell for name, cell in zip(FEATURES, PLAIN_ROW.split(","), strict=True)
    }
    good = [
        _answered("one row of CSV", CSV, PLAIN_ROW, 1),
        _answered("three rows of CSV", CSV, "\n".join([PLAIN_ROW] * 3), 3),
        _answered("CSV with blanks and Windows line ends", CSV, f"{PLAIN_ROW.replace(',', ' , ')}\r\n", 1),
        _answered("one JSON object", JSON, json.dumps({"instances": [instance]}), 1),
        _answered("two JSON lists", JSON, json.dumps({"instances": [list(instance.values())] * 2}), 2),
    ]
    refused = [_refused(name, CSV, body) for name, body in HOSTILE_BODIES.items()]
    refused += [
        _refused("JSON without instances", JSON, json.dumps({"rows": [instance]})),
        _refused("a JSON object without ed", JSON, json.dumps({"instances": [{**instance, "ed": None}]})),
        _refused("JSON nested beyond reason", JSON, "[" * 100_000),
        _refused("a pickle", "application/x-pickle", "cos\nsystem\n(S'true'\ntR.", status=415),
    ]
    return good + refused


def write_contract(file: Path) -> int:
    """Write the recorded requests, one JSON object a line. Returns their number."""
    cases = contract_cases()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(case) + "\n" for case in cases), encoding="utf-8")
    return len(cases)


def write_holdout(file: Path, rows: pd.DataFrame) -> int:
    """Write labelled rows of people the model has never seen: header, label first. Returns the number of rows."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows[[LABEL, *FEATURES]].to_csv(file, index=False)
    return len(rows)


def _answered(name: str, content_type: str, body: str, rows: int) -> dict[str, Any]:
    expect = {"status": 200, "content_type": content_type, "rows": rows, "numeric": True}
    return {"name": name, "content_type": content_type, "accept": content_type, "body": body, "expect": expect}


def _refused(name: str, content_type: str, body: str, status: int = 400) -> dict[str, Any]:
    return {"name": name, "content_type": content_type, "body": body, "expect": {"status": status}}
