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


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_no_report_of_any_shape_raises(ours: Any, theirs: Any) -> None:
    report = json.dumps(ours).encode()
    TARGETS["gates"](report + BETWEEN + json.dumps(theirs).encode())
    TARGETS["registry"](report)
