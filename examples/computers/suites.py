"""What the staging endpoint is asked: recorded requests, and how each has to be answered."""

from __future__ import annotations

import json
from typing import Any

from examples.computers.data import FEATURES
from examples.layout import CSV, JSON, answered, refused

PLAIN_ROW = "33,170,8,14,no,no,yes"
"""33 MHz, a disk of 170 MB, 8 MB of memory, a screen of 14 inches, no CD-ROM, no multimedia kit, of a premium firm."""

HOSTILE_BODIES = {
    "a column is missing": "33,170,8,14,no,no",
    "a column too many": f"{PLAIN_ROW},1",
    "a word where a number belongs": "fast,170,8,14,no,no,yes",
    "not a number": "nan,170,8,14,no,no,yes",
    "an infinite number": "1e999,170,8,14,no,no,yes",
    "a category nobody has": "33,170,8,14,perhaps,no,yes",
    "a spreadsheet formula": '33,170,8,14,"=HYPERLINK(""http://example.com"")",no,yes',
    "markup": "33,170,8,14,<script>alert(1)</script>,no,yes",
    "a header by mistake": f"{','.join(FEATURES)}\n{PLAIN_ROW}",
    "one bad row among good ones": f"{PLAIN_ROW}\n33,170,8,14,no,no,\n{PLAIN_ROW}",
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
    hostile = [refused(name, CSV, body) for name, body in HOSTILE_BODIES.items()]
    hostile += [
        refused("JSON without instances", JSON, json.dumps({"rows": [instance]})),
        refused("a JSON object without ram", JSON, json.dumps({"instances": [{**instance, "ram": None}]})),
        refused("JSON nested beyond reason", JSON, "[" * 100_000),
        refused("a pickle", "application/x-pickle", "cos\nsystem\n(S'true'\ntR.", status=415),
    ]
    return good + hostile
