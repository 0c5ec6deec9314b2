"""What the staging endpoint is asked: recorded requests, and how each has to be answered."""

from __future__ import annotations

import json
from typing import Any

from examples.layout import CSV, JSON, answered, refused
from examples.wages.data import FEATURES

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
        answered("one row of CSV", CSV, PLAIN_ROW, 1),
        answered("three rows of CSV", CSV, "\n".join([PLAIN_ROW] * 3), 3),
        answered("CSV with blanks and Windows line ends", CSV, f"{PLAIN_ROW.replace(',', ' , ')}\r\n", 1),
        answered("one JSON object", JSON, json.dumps({"instances": [instance]}), 1),
        answered("two JSON lists", JSON, json.dumps({"instances": [list(instance.values())] * 2}), 2),
    ]
    no = [refused(name, CSV, body) for name, body in HOSTILE_BODIES.items()]
    no += [
        refused("JSON without instances", JSON, json.dumps({"rows": [instance]})),
        refused("a JSON object without ed", JSON, json.dumps({"instances": [{**instance, "ed": None}]})),
        refused("JSON nested beyond reason", JSON, "[" * 100_000),
        refused("a pickle", "application/x-pickle", "cos\nsystem\n(S'true'\ntR.", status=415),
    ]
    return good + no
