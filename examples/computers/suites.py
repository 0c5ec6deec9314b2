"""What the staging endpoint is asked: recorded requests, and how each has to be answered."""

from __future__ import annotations

from typing import Any

from examples.computers.data import FEATURES
from examples.layout import recorded_requests

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
    """The recorded requests: good ones in every shape a caller may use, then hostile ones."""
    return recorded_requests(FEATURES, PLAIN_ROW, HOSTILE_BODIES, left_out="ram")
