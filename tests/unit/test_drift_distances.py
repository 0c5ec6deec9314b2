"""The monitor's distances against scipy's, and its sketch against the numbers themselves."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from jobs.drift_monitor.baseline import MOST_POINTS
from jobs.drift_monitor.columns import Column
from jobs.drift_monitor.distances import StepCounts, Steps, categorical_distance, chi_squared, robust
from jobs.drift_monitor.sketch import SIZE, Sketch

NUMBERS = st.lists(st.floats(-1e6, 1e6) | st.integers(-5, 5).map(float), min_size=1, max_size=60)
COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 50), min_size=1)


def streamed(reference: np.ndarray, stream: np.ndarray, parts: int = 3) -> float:
    counted = StepCounts(Steps.of(reference, MOST_POINTS))
    for part in np.array_split(stream, parts):
        counted.add(part)
    return counted.distance()


@settings(max_examples=300)
@given(NUMBERS, NUMBERS)
def test_the_distance_of_numbers_is_the_kolmogorov_smirnov_statistic(
    reference: list[float], stream: list[float]
) -> None:
    expected = stats.ks_2samp(reference, stream, method="asymp").statistic
    assert streamed(np.array(reference), np.array(stream)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_so_of_many_numbers_too(seed: int) -> None:
    chance = np.random.default_rng(seed)
    reference, stream = chance.normal(size=20_000), chance.normal(0.1, 1.1, size=30_000)
    expected = stats.ks_2samp(reference, stream, method="asymp").statistic
    assert streamed(reference, stream, 17) == pytest.approx(expected, abs=1e-9)


def test_a_baseline_of_more_distinct_numbers_than_are_kept_is_off_by_a_step_at_most() -> None:
    chance = np.random.default_rng(1)
    reference, stream = chance.normal(size=30_000), chance.normal(0.2, size=30_000)
    kept = Steps.of(reference, 1_000)
    counted = StepCounts(kept)
    counted.add(stream)
    assert not kept.exact
    assert len(kept.points) <= 1_000
    assert counted.distance() == pytest.approx(
        stats.ks_2samp(reference, stream, method="asymp").statistic, abs=2 / 1_000
    )


@given(COUNTS, COUNTS)
def test_the_distance_of_texts_is_the_largest_difference_of_shares(
    first: dict[str, int], second: dict[str, int]
) -> None:
    rows, others = sum(first.values()), sum(second.values())
    expected = 0.0
    if rows and others:
        expected = max(abs(first.get(one, 0) / rows - second.get(one, 0) / others) for one in "abcdef")
    assert categorical_distance(first, second) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("first", "second"),
    [({"a": 30, "b": 70}, {"a": 45, "b": 55}), ({"a": 5, "b": 5, "c": 90}, {"a": 9, "c": 80, "d": 11})],
)
def test_chi_squared_is_scipys_test_of_homogeneity(first: dict[str, int], second: dict[str, int]) -> None:
    names = sorted({*first, *second})
    observed = np.array([[one.get(name, 0) for name in names] for one in (first, second)], dtype=float)
    expected = observed.sum(axis=1, keepdims=True) * observed.sum(axis=0) / observed.sum()
    statistic = ((observed - expected) ** 2 / expected).sum()
    assert chi_squared(first, second) == pytest.approx(stats.chi2.sf(statistic, len(names) - 1), abs=1e-9)


@pytest.mark.parametrize(("first", "second"), [({}, {"a": 3}), ({"a": 3}, {"a": 4}), ({"a": 0}, {"a": 0})])
def test_where_there_is_nothing_to_tell_apart_the_p_value_is_one(first: dict[str, int], second: dict[str, int]) -> None:
    assert chi_squared(first, second) == 1


def test_the_robust_distance_is_less_by_what_samples_differ_by() -> None:
    assert robust(0.3, 1000, 500) == pytest.approx(0.3 - 1.8 * math.sqrt(1500 / 500_000), abs=1e-12)
    assert robust(0.05, 100, 100) == 0
    assert robust(0.9, 0, 100) == 0


def test_the_document_says_which_difference_a_robust_distance_lets_through() -> None:
    page = " ".join((Path(__file__).parents[2] / "docs" / "drift-monitor.md").read_text(encoding="utf-8").split())
    said = re.search(
        r"Of ([\d,]+) rows against (\d+) that is ([\d.]+): a difference has to be above ([\d.]+) to exceed a `distance` of "
        r"([\d.]+)\.",
        page,
    )
    assert said is not None
    first, second, less, difference, distance = (float(one.replace(",", "")) for one in said.groups())
    assert less == round(difference - robust(difference, first, second), 3)
    assert robust(difference - 0.001, first, second) < distance < robust(difference + 0.001, first, second)


@given(NUMBERS, st.integers(1, 7))
def test_moments_do_not_depend_on_how_a_stream_is_cut(values: list[float], parts: int) -> None:
    column = Column("one")
    for part in np.array_split(np.array(values), parts):
        column.add(part.tolist())
    assert column.mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-6)
    assert math.sqrt(column.squares / column.numbers) == pytest.approx(np.std(values), rel=1e-6, abs=1e-6)
    assert (column.least, column.most) == (min(values), max(values))


def test_a_sketch_of_few_numbers_is_all_of_them() -> None:
    sketch, values = Sketch(), np.random.default_rng(2).normal(size=SIZE)
    for part in np.array_split(values, 9):
        sketch.add(part)
    kept, weights = sketch.weighted()
    assert kept.tolist() == sorted(values.tolist())
    assert set(weights) == {1.0}


def test_a_sketch_of_many_numbers_keeps_their_weight_and_their_quantiles_in_little_room() -> None:
    sketch, values = Sketch(), np.random.default_rng(3).normal(size=200_000)
    for part in np.array_split(values, 41):
        sketch.add(part)
    kept, weights = sketch.weighted()
    assert weights.sum() == len(values)
    assert len(kept) < 10 * SIZE
    shares = np.cumsum(weights) / weights.sum()
    exact = np.searchsorted(np.sort(values), kept, side="right") / len(values)
    assert np.abs(shares - exact).max() < 0.01
    told = sketch.to_json(float(values.min()), float(values.max()))
    assert sum(bucket["count"] for bucket in told["buckets"]) == len(values)
    json.dumps(told, allow_nan=False)
