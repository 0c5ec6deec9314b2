"""What the staging endpoint is asked: recorded requests, and how each has to be answered."""

from __future__ import annotations

from typing import Any

from examples.layout import recorded_requests
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
    """The recorded requests: good ones in every shape a caller may use, then hostile ones."""
    return recorded_requests(FEATURES, PLAIN_ROW, HOSTILE_BODIES, left_out="ed")
