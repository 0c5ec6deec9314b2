"""Thresholds: the policy's before those of Model Monitor's constraints.json, and those before the usual ones."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.monitored import Look, Traffic, of_model_monitor, traffic

__all__ = ["traffic"]

CITIES = ["NYC" if n % 3 else "LA" for n in range(600)]
AGES = [float(n % 40) for n in range(600)]


def look(traffic: Traffic, said: dict[str, Any], *, config: dict[str, Any] | None = None, **compared: Any) -> Look:
    """Traffic whose cities are a sixth off and whose ages are a tenth off, against a baseline with these thresholds."""
    distributions = {"comparison_method": "Simple", "comparison_threshold": 0.5, **compared}
    config = {"distribution_constraints": distributions, **(config or {})}
    of_model_monitor(traffic, {"_c0": AGES, "_c1": CITIES}, config)
    traffic.asked["limits"] = said
    rows = (f"{n % 40 + 4},{'NYC' if n % 6 else 'LA'}" for n in range(600))
    traffic.capture(*(traffic.ask(row) for row in rows))
    return traffic.look()


def thresholds(found: Look) -> dict[str, tuple[str, float]]:
    told = found.document("statistics.json")["lockkeeper"]["distances"]
    return {one["feature"]: (one["method"], one["threshold"]) for one in told}


TEXTS = {"categorical_comparison_threshold": 0.12}
TESTED = {"categorical_comparison_threshold": 0.12, "categorical_drift_method": "ChiSquared"}


@pytest.mark.parametrize(
    ("said", "compared", "numbers", "texts"),
    [
        ({}, {}, 0.5, ("Simple", 0.5)),
        ({}, TEXTS, 0.5, ("Simple", 0.12)),
        ({}, {**TEXTS, "categorical_drift_method": "LInfinity"}, 0.5, ("Simple", 0.12)),
        ({}, TESTED, 0.5, ("ChiSquared", 0.12)),
        ({"distance": 0.3}, TEXTS, 0.3, ("Simple", 0.3)),
        ({"distance": 0.3}, TESTED, 0.3, ("ChiSquared", 0.12)),
        ({"p_value": 0.01}, TESTED, 0.5, ("ChiSquared", 0.01)),
        # A threshold is of the method that it was written for.
        ({"categorical_method": "ChiSquared"}, TEXTS, 0.5, ("ChiSquared", 0.05)),
        ({"categorical_method": "LInfinity"}, TESTED, 0.5, ("Simple", 0.5)),
        ({}, {"comparison_threshold": None}, 0.1, ("Simple", 0.1)),
    ],
)
def test_texts_have_the_threshold_of_the_policy_else_of_the_baseline(
    traffic: Traffic, said: dict[str, Any], compared: dict[str, Any], numbers: float, texts: tuple[str, float]
) -> None:
    found = look(traffic, said, **compared)
    assert thresholds(found) == {"_c0": ("Simple", numbers), "_c1": texts}
    written = found.document("constraints.json")["monitoring_config"]["distribution_constraints"]
    assert (written["comparison_threshold"], written["categorical_comparison_threshold"]) == (numbers, texts[1])


def test_a_text_that_drifted_is_told_by_its_own_threshold(traffic: Traffic) -> None:
    drift = ("_c1", "baseline_drift_check")
    assert drift not in look(traffic, {}).kinds
    assert drift in look(traffic, {}, **TEXTS).kinds


def test_distances_that_the_baseline_does_not_want_violate_nothing_and_it_is_said(traffic: Traffic) -> None:
    found = look(traffic, {}, perform_comparison="Disabled", comparison_threshold=0.01)
    assert found.violations == []
    assert "distances were not judged: the baseline's perform_comparison is Disabled" in found.reasons
    written = found.document("constraints.json")["monitoring_config"]["distribution_constraints"]
    assert written["perform_comparison"] == "Disabled"
    assert set(thresholds(found)) == {"_c0", "_c1"}, "they are measured all the same"


def test_a_policy_that_names_a_distance_wants_distances(traffic: Traffic) -> None:
    found = look(traffic, {"distance": 0.05}, perform_comparison="Disabled")
    assert found.kinds == {("_c0", "baseline_drift_check"), ("_c1", "baseline_drift_check")}
    assert "perform_comparison" not in found.reasons


def test_a_baseline_that_is_not_to_be_evaluated_judges_no_data_and_says_so(traffic: Traffic) -> None:
    found = look(traffic, {"distance": 0.05}, config={"evaluate_constraints": "Disabled"})
    assert (found.status, found.violations) == (0, [])
    assert "data quality was not judged: the baseline's evaluate_constraints is Disabled" in found.message
    assert found.document("constraints.json")["monitoring_config"]["evaluate_constraints"] == "Disabled"
