"""What `make fuzz` runs is alive, and what it has found stays found: inputs that once raised what nobody caught."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.fuzz.seeds import seeds, words
from checks.fuzz.targets import BETWEEN, TARGETS

SEEDS = [(name, seed) for name, found in seeds().items() for seed in found]


@pytest.mark.parametrize(("name", "seed"), SEEDS, ids=[f"{name}-{number}" for number, (name, _) in enumerate(SEEDS)])
def test_a_target_takes_what_it_starts_from(name: str, seed: bytes) -> None:
    TARGETS[name](seed)


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_something_to_start_from(name: str) -> None:
    assert seeds()[name]


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_takes_nothing_and_noise(name: str) -> None:
    for data in (b"", b"\0", BETWEEN, b"\xff" * 20, bytes(range(256))):
        TARGETS[name](data)


def test_the_words_are_as_the_fuzzer_reads_them() -> None:
    lines = words().decode("ascii").splitlines()
    assert len(lines) > 30
    assert all(line.startswith('"\\x') and line.endswith('"') for line in lines)


KEYS = st.sampled_from(
    sorted({key.decode().strip('"') for _, seed in SEEDS for key in re.findall(rb'"[a-zA-Z_0-9]{1,40}"', seed)})
)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["DPPL", "CI", "sex", "female", "NaN", "number", "accuracy", "baseline_drift_check", 10**400])
)
DOCUMENTS = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=25
)


@settings(max_examples=150)
@given(DOCUMENTS, DOCUMENTS)
def test_no_report_of_any_shape_raises(ours: Any, theirs: Any) -> None:
    report = json.dumps(ours).encode()
    TARGETS["gates"](report + BETWEEN + json.dumps(theirs).encode())
    TARGETS["registry"](report)


FOUND = {
    "a carriage return in a cell": ("staging", b"label,a\n1,2\n" + BETWEEN + b"1\r0"),
    "a carriage return in a suite": ("staging", b"label,a\n1\r,2\n"),
    "a cell that never ends": ("staging", b'label,a\n1,"' + b"x" * 200_000),
    "answers of a number out of range": ("staging", b"label,a\n1,2\n" + BETWEEN + b"[1" + b"0" * 400 + b"]"),
    "answers whose squares are out of range": ("staging", b"label,a\n1,2\n" + BETWEEN + b"[1e200]"),
    "answers that are NaN": ("staging", b"label,a\n1,2\n" + BETWEEN + b"[NaN]"),
    "answers nested a hundred thousand deep": ("staging", b"label,a\n1,2\n" + BETWEEN + b"[" * 100_000),
    "a case nested a hundred thousand deep": ("staging", b"[" * 100_000),
    "a case with infinitely many rows": ("staging", b'{"body": "", "expect": {"rows": 1e999}}'),
    "a pattern that repeats too often": ("staging", b'{"body": "", "expect": {"forbid": ["a{99999999999}"]}}'),
    "a metric of a model card that is NaN": (
        "registry",
        b'{"evaluation_details": [{"metric_groups": [{"metric_data": [{"name": "a", "type": "number", "value": NaN}]}]}]}',
    ),
    "a report that is null": ("gates", b"null"),
    "a policy of a control character": ("policy", b"\x1f"),
}
"""What once raised: found by the fuzzer, by hypothesis, or by who read the code with both in mind."""


@pytest.mark.parametrize("finding", FOUND)
def test_what_was_found_once_raises_no_more(finding: str) -> None:
    name, data = FOUND[finding]
    TARGETS[name](data)
