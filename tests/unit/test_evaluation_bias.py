"""The evaluation job's bias analysis against scipy, and against the definitions worked out on two small groups."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from jobs.evaluation.bias import Outcomes, build_analysis
from jobs.evaluation.bias_metrics import POST_TRAINING, PRE_TRAINING
from jobs.evaluation.errors import EvaluationError
from jobs.evaluation.facets import parse_facet

# Rows by (labelled, predicted) positive. a: 20 rows, 12 labelled and 11 predicted positive. d: 10 rows, 4 and 2.
OTHERS = {(1, 1): 9, (1, 0): 3, (0, 1): 2, (0, 0): 6}
FACET = {(1, 1): 1, (1, 0): 3, (0, 1): 1, (0, 0): 5}


def rows_of(**groups: dict[tuple[int, int], int]) -> pd.DataFrame:
    """A table with the columns sex, label and predicted."""
    rows = [
        (sex, labelled, predicted)
        for sex, counts in groups.items()
        for (labelled, predicted), count in counts.items()
        for _ in range(count)
    ]
    return pd.DataFrame(rows, columns=["sex", "label", "predicted"])


def analyse(table: pd.DataFrame, *facets: str, groups: Any = None) -> dict[str, Any]:
    outcomes = Outcomes("label", "1", table["label"].to_numpy() == 1, table["predicted"].to_numpy() == 1)
    text = table.astype(str)
    document = build_analysis(outcomes, [parse_facet(facet) for facet in facets or ["sex=female"]], text, groups)
    json.dumps(document, allow_nan=False)
    return document


def metrics_in(document: dict[str, Any], column: str = "sex", entry: int = 0) -> dict[str, dict[str, Any]]:
    parts = (document[f"{part}_training_bias_metrics"] for part in ("pre", "post"))
    found = [part["facets"][column][entry]["metrics"] for part in parts]
    return {metric["name"]: metric for metric in itertools.chain(*found)}


def values_in(document: dict[str, Any], column: str = "sex", entry: int = 0) -> dict[str, Any]:
    return {name: metric["value"] for name, metric in metrics_in(document, column, entry).items()}


def test_every_metric_of_two_small_groups_is_as_defined() -> None:
    table = rows_of(male=OTHERS, female=FACET)
    values = values_in(analyse(table, groups=np.array(["all"] * 30)))
    benefits = np.array([1] * 21 + [0] * 6 + [2] * 3)
    assert values == pytest.approx(
        {
            "CI": (20 - 10) / 30,
            "DPL": 12 / 20 - 4 / 10,
            "KL": entropy([8 / 20, 12 / 20], [6 / 10, 4 / 10]),
            "JS": jensenshannon([8 / 20, 12 / 20], [6 / 10, 4 / 10]) ** 2,
            "LP": np.sqrt(0.2**2 + 0.2**2),
            "TVD": 0.2,
            "KS": 0.2,
            # The facet's share of the 14 negative labels less its share of the 16 positive ones.
            "CDDL": 6 / 14 - 4 / 16,
            "DPPL": 11 / 20 - 2 / 10,
            "DI": (2 / 10) / (11 / 20),
            "DCAcc": 12 / 11 - 4 / 2,
            "DCR": 6 / 8 - 8 / 9,
            "SD": 5 / 6 - 6 / 8,
            "RD": 9 / 12 - 1 / 4,
            "DAR": 9 / 11 - 1 / 2,
            "DRR": 5 / 8 - 6 / 9,
            "AD": 15 / 20 - 6 / 10,
            "TE": 3 / 1 - 3 / 2,
            "CDDPL": 8 / 17 - 2 / 13,
            "GE": np.var(benefits) / np.mean(benefits) ** 2 / 2,
        }
    )


def test_swapping_the_groups_turns_every_difference_round() -> None:
    table = rows_of(male=OTHERS, female=FACET)
    groups = np.array(["all"] * 30)
    ours, theirs = (values_in(analyse(table, facet, groups=groups)) for facet in ("sex=female", "sex=male"))
    for name in ("CI", "DPL", "DPPL", "DCAcc", "DCR", "SD", "RD", "DAR", "DRR", "AD", "TE", "CDDL", "CDDPL"):
        assert ours[name] == pytest.approx(-theirs[name]), name
    for name in ("JS", "LP", "TVD", "KS", "GE"):
        assert ours[name] == pytest.approx(theirs[name]), name
    assert ours["DI"] == pytest.approx(1 / theirs["DI"])


def test_the_conditional_metrics_hold_the_group_fixed() -> None:
    # Simpson's paradox: within each department nobody is treated differently, and women apply to the stricter one.
    lenient = {"male": {(1, 1): 60, (0, 0): 20}, "female": {(1, 1): 15, (0, 0): 5}}
    strict = {"male": {(1, 1): 5, (0, 0): 15}, "female": {(1, 1): 20, (0, 0): 60}}
    table = pd.concat([rows_of(**lenient), rows_of(**strict)], ignore_index=True)
    departments = np.array(["lenient"] * 100 + ["strict"] * 100)
    values = values_in(analyse(table, groups=departments))
    assert values["DPL"] == pytest.approx(0.3)
    assert values["CDDL"] == pytest.approx(0)
    assert values["CDDPL"] == pytest.approx(0)


def test_the_document_is_clarifys() -> None:
    document = analyse(rows_of(male=OTHERS, female=FACET))
    assert document["version"] == "1.0"
    for part, names in (("pre", PRE_TRAINING), ("post", POST_TRAINING)):
        section = document[f"{part}_training_bias_metrics"]
        assert (section["label"], section["label_value_or_threshold"]) == ("label", "1")
        (entry,) = section["facets"]["sex"]
        assert entry["value_or_threshold"] == "female"
        assert [metric["name"] for metric in entry["metrics"]] == sorted(names)
        for metric in entry["metrics"]:
            assert metric["description"].endswith(f"({metric['name']})")


def test_conditional_metrics_without_a_group_variable_say_so() -> None:
    found = metrics_in(analyse(rows_of(male=OTHERS, female=FACET)))
    for name in ("CDDL", "CDDPL"):
        assert found[name]["value"] is None
        assert found[name]["error"] == "it holds a group variable fixed, and none was named"
    assert [name for name, metric in found.items() if "error" in metric] == ["CDDL", "CDDPL"]


@pytest.mark.parametrize(
    ("groups", "reason"),
    [
        ({"male": OTHERS}, "no row has sex=female"),
        ({"female": FACET}, "every row has sex=female, so that there are no others"),
    ],
)
def test_a_facet_without_two_sides_has_no_metric(groups: dict[str, Any], reason: str) -> None:
    table = rows_of(**groups)
    found = metrics_in(analyse(table, groups=np.array(["all"] * len(table))))
    assert {(metric["value"], metric.get("error")) for name, metric in found.items() if name != "GE"} == {
        (None, reason)
    }


def test_a_rate_of_nobody_is_no_zero() -> None:
    # Nobody with the facet is labelled positive; nobody at all is predicted positive.
    table = rows_of(male={(1, 0): 5, (0, 0): 5}, female={(0, 0): 5})
    found = metrics_in(analyse(table, groups=np.array(["all"] * 15)))
    assert found["RD"] == {
        "name": "RD",
        "description": "Recall Difference (RD)",
        "value": None,
        "error": "no row of sex=female is labelled positive",
    }
    for name in ("DI", "DCAcc", "DAR"):
        assert found[name]["error"] == "no row of the others is predicted positive", name
    assert found["TE"]["error"] == "no row of the others is a false positive"
    assert found["CDDPL"]["error"] == "every row is predicted negative"
    assert found["KL"]["error"].endswith("the divergence is infinite")
    assert found["DPPL"]["value"] == 0
    assert found["TVD"]["value"] == 0.5
    # Of a label that one side lacks, Jensen and Shannon still know the distance.
    assert found["JS"]["value"] == pytest.approx(jensenshannon([0.5, 0.5], [1, 0]) ** 2)


def test_labels_of_one_class_leave_the_differences_zero() -> None:
    found = metrics_in(analyse(rows_of(male={(1, 1): 6}, female={(1, 1): 3, (1, 0): 1}), groups=np.array(["x"] * 10)))
    assert (found["DPL"]["value"], found["KL"]["value"], found["TVD"]["value"]) == (0, 0, 0)
    assert found["CDDL"]["error"] == "every row is labelled positive"
    assert found["SD"]["error"] == "no row of the others is labelled negative"
    assert found["RD"]["value"] == pytest.approx(0.25)


def test_no_benefit_at_all_has_no_entropy() -> None:
    found = metrics_in(analyse(rows_of(male={(1, 0): 2}, female={(1, 0): 2})))
    assert found["GE"]["error"] == "every prediction is a false negative"


def test_a_row_of_unknown_facet_is_on_neither_side() -> None:
    known = rows_of(male=OTHERS, female=FACET)
    unknown = pd.DataFrame([("", 1, 1)] * 7, columns=known.columns)
    values = values_in(analyse(pd.concat([known, unknown], ignore_index=True)))
    assert values == pytest.approx(values_in(analyse(known)), nan_ok=True)


def test_a_facet_without_a_value_is_every_value_in_turn() -> None:
    document = analyse(rows_of(male=OTHERS, female=FACET), "sex")
    entries = document["post_training_bias_metrics"]["facets"]["sex"]
    assert [entry["value_or_threshold"] for entry in entries] == ["female", "male"]
    assert values_in(document)["DPPL"] == pytest.approx(-values_in(document, entry=1)["DPPL"])


def test_two_values_are_one_facet() -> None:
    table = rows_of(a=OTHERS, b=FACET, c=FACET)
    together = analyse(table, "sex=b,c")
    assert together["pre_training_bias_metrics"]["facets"]["sex"][0]["value_or_threshold"] == "b,c"
    assert values_in(together)["CI"] == 0


def test_a_threshold_is_written_as_an_interval() -> None:
    table = rows_of(male=OTHERS, female=FACET)
    table["age"] = np.where(table["sex"] == "female", 60, 30)
    document = analyse(table, "age>40")
    assert document["pre_training_bias_metrics"]["facets"]["age"][0]["value_or_threshold"] == "(40.0, 60.0]"
    assert values_in(document, "age") == pytest.approx(values_in(analyse(table)), nan_ok=True)


@pytest.mark.parametrize("text", ["sex=", "=female", "age>old", ">40", ""])
def test_a_facet_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(EvaluationError, match="facet"):
        parse_facet(text)


def test_a_threshold_among_words_is_refused() -> None:
    with pytest.raises(EvaluationError, match="the column sex holds more than numbers"):
        analyse(rows_of(male=OTHERS, female=FACET), "sex>3")
