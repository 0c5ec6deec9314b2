"""The monitor as it is started: captured traffic in, three documents and a sentence out."""

from __future__ import annotations

import json

import pytest

from tests.unit.monitored import CAPTURE, RELEASE, TRUTH, Traffic, of_model_monitor, traffic

__all__ = ["traffic"]

HEADER = "label,age,height,city,plan\n"
BASELINE = HEADER + "".join(
    f"{n % 2},{20 + n % 40},{1.5 + n % 7 / 10},{'NYC' if n % 3 else 'LA'},a\n" for n in range(600)
)


def lines(count: int = 600) -> list[str]:
    """Requests as the baseline's rows are."""
    return [f"{20 + n % 40},{1.5 + n % 7 / 10},{'NYC' if n % 3 else 'LA'},a" for n in range(count)]


@pytest.fixture
def usual(traffic: Traffic) -> Traffic:
    traffic.baseline(BASELINE)
    return traffic


def test_traffic_like_the_baseline_violates_nothing(usual: Traffic) -> None:
    usual.capture(*(usual.ask(line, "1,0.8") for line in lines()))
    look = usual.look()
    assert (look.status, look.violations) == (0, [])
    assert look.message.startswith("Completed: 600 rows, 0 violations")
    statistics = look.document("statistics.json")
    assert statistics["dataset"]["item_count"] == 600
    assert [one["name"] for one in statistics["features"]] == ["age", "height", "city", "plan"]
    assert statistics["lockkeeper"]["release_id"] == RELEASE
    assert {one["exact"] for one in statistics["lockkeeper"]["distances"]} == {True}


@pytest.mark.parametrize(
    ("changed", "violated"),
    [
        (lambda line: line.replace("20,", "60,").replace("2", "6", 1), ("age", "baseline_drift_check")),
        (lambda line: line.replace("LA", "NYC"), ("city", "baseline_drift_check")),
        (lambda line: line.replace("LA", "Rome"), ("city", "categorical_values_check")),
        (lambda line: line.replace(",a", ","), ("plan", "completeness_check")),
        (lambda line: "x" + line, ("age", "data_type_check")),
        (lambda line: line.replace(",", ".5,", 1), ("age", "data_type_check")),
        (lambda line: line.removesuffix(",a"), ("plan", "missing_column_check")),
        (lambda line: line + ",7", ("_c4", "extra_column_check")),
    ],
)
def test_what_changed_is_violated_by_its_check(usual: Traffic, changed: object, violated: tuple[str, str]) -> None:
    assert callable(changed)
    usual.capture(*(usual.ask(changed(line)) for line in lines()))
    look = usual.look()
    assert violated in look.kinds
    assert {name for name, _ in look.kinds} == {violated[0]}, "nothing else has changed"
    assert look.message.startswith("CompletedWithViolations: 600 rows")
    assert violated[0] in look.message


def test_simple_and_robust_differ_by_the_sizes_of_the_samples(usual: Traffic) -> None:
    usual.capture(*(usual.ask(line.replace("LA", "NYC") if n % 3 else line) for n, line in enumerate(lines(120))))
    usual.asked["limits"] = {"method": "Simple"}
    simple = usual.look().document("statistics.json")["lockkeeper"]["distances"]
    usual.asked["limits"] = {"method": "Robust"}
    robust = usual.look().document("statistics.json")["lockkeeper"]["distances"]
    less = 1.8 * ((600 + 120) / (600 * 120)) ** 0.5
    for first, second in zip(simple, robust, strict=True):
        assert second["measured"] == pytest.approx(max(0, first["measured"] - less), abs=1e-9)


def test_texts_may_be_tested_by_chi_squared(usual: Traffic) -> None:
    usual.asked["limits"] = {"categorical_method": "ChiSquared", "p_value": 0.01}
    usual.capture(*(usual.ask(line.replace("LA", "NYC") if n % 9 == 0 else line) for n, line in enumerate(lines())))
    look = usual.look()
    told = {one["feature"]: one for one in look.document("statistics.json")["lockkeeper"]["distances"]}
    assert (told["city"]["method"], told["plan"]["measured"], told["age"]["method"]) == ("ChiSquared", 1, "Robust")
    assert look.kinds == {("city", "baseline_drift_check")}
    assert "p-value" in look.violations[0]["description"]


@pytest.mark.parametrize("encoding", ["CSV", "BASE64"])
def test_several_rows_of_a_request_count_each(usual: Traffic, encoding: str) -> None:
    usual.capture(*(usual.ask("\n".join(lines(200)), encoding=encoding) for _ in range(3)))
    look = usual.look()
    assert (look.violations, look.document("statistics.json")["dataset"]["item_count"]) == ([], 600)


@pytest.mark.parametrize("shape", ["rows", "named", "lines", "features"])
def test_requests_of_json_count_as_those_of_csv(usual: Traffic, shape: str) -> None:
    cells = [[int(one[0]), float(one[1]), *one[2:]] for one in (line.split(",") for line in lines(200))]
    named = [dict(zip(["plan", "city", "height", "age"], reversed(row), strict=True)) for row in cells]
    body = {
        "rows": json.dumps({"instances": cells}),
        "named": json.dumps({"instances": named}),
        "lines": "\n".join(map(json.dumps, named)),
        "features": json.dumps({"instances": [{"features": row} for row in cells]}),
    }[shape]
    usual.capture(usual.ask(body, encoding="JSON"))
    look = usual.look()
    assert (look.violations, look.document("statistics.json")["dataset"]["item_count"]) == ([], 200)
    assert {one["inferred_type"] for one in look.document("statistics.json")["features"]} == {
        "Integral",
        "Fractional",
        "String",
    }


def test_only_the_windows_rows_count_wherever_they_were_written(usual: Traffic) -> None:
    before = [usual.ask(line, hours=-0.01) for line in lines(10)]
    inside = [usual.ask(line, hours=3.99) for line in lines(200)]
    after = [usual.ask(line, hours=4) for line in lines(30)]
    usual.capture(*before, hours=0.01)
    # Records are written a while after their request, here in the hour after the window.
    usual.capture(*inside, *after, hours=4.01)
    assert usual.look().document("statistics.json")["dataset"]["item_count"] == 200


def test_a_header_that_is_sent_is_no_row(usual: Traffic) -> None:
    usual.capture(usual.ask("age,height,city,plan\n" + "\n".join(lines(150))))
    look = usual.look()
    assert (look.violations, look.document("statistics.json")["dataset"]["item_count"]) == ([], 150)


def test_fewer_rows_than_are_needed_judge_nothing(usual: Traffic) -> None:
    usual.capture(*(usual.ask(line.replace("LA", "Rome")) for line in lines(99)))
    look = usual.look()
    assert look.violations == []
    assert "100 rows are needed" in look.message


def test_accuracy_below_its_bound_is_a_violation_of_model_quality(usual: Traffic) -> None:
    usual.asked |= {"ground_truth": TRUTH, "question": {"problem_type": "BinaryClassification"}}
    usual.asked |= {"at_least": {"accuracy": 0.7, "recall": 0.1}, "at_most": {"false_positive_rate": 0.9}}
    usual.capture(*(usual.ask(line, f"{n % 2},0.{1 + 7 * (n % 2)}", name=f"r{n}") for n, line in enumerate(lines())))
    usual.truth({f"r{n}": str(int(n % 4 == 1)) if n % 3 else str(n % 2) for n in range(600)})
    look = usual.look()
    assert ("accuracy", "LessThanThreshold") not in look.kinds
    usual.truth({f"r{n}": str(1 - n % 2) for n in range(300)}, hours=3.5)
    look = usual.look()
    assert ("accuracy", "LessThanThreshold") in look.kinds
    report = look.document("model_quality/statistics.json")
    assert report["dataset"]["item_count"] == 600
    assert "auc" in report["binary_classification_metrics"]
    limits = look.document("model_quality/constraints.json")["binary_classification_constraints"]
    assert limits["false_positive_rate"] == {"threshold": 0.9, "comparison_operator": "GreaterThanThreshold"}
    assert look.document("data_quality/constraint_violations.json") == {"violations": []}


def test_several_classes_and_numbers_have_their_own_metrics(usual: Traffic) -> None:
    usual.asked |= {"ground_truth": TRUTH, "question": {"problem_type": "MulticlassClassification"}}
    usual.asked |= {"at_least": {"weighted_f1": 0.9}}
    usual.capture(*(usual.ask(line, f"{n % 3}", name=f"r{n}") for n, line in enumerate(lines())))
    usual.truth({f"r{n}": f"{n % 3 if n % 2 else 0}.0" for n in range(600)})
    assert ("weighted_f1", "LessThanThreshold") in usual.look().kinds
    usual.asked |= {"question": {"problem_type": "Regression"}, "at_least": {}, "at_most": {"mae": 0.1}}
    assert ("mae", "GreaterThanThreshold") in usual.look().kinds


def test_a_model_that_answers_a_probability_alone_is_judged_by_it(usual: Traffic) -> None:
    usual.asked |= {"ground_truth": TRUTH, "question": {"problem_type": "BinaryClassification"}}
    usual.capture(*(usual.ask(line, "0.9" if n % 2 else "0.2", name=f"r{n}") for n, line in enumerate(lines())))
    usual.truth({f"r{n}": str(n % 2) for n in range(600)})
    metrics = usual.look().document("model_quality/statistics.json")["binary_classification_metrics"]
    assert (metrics["accuracy"]["value"], metrics["auc"]["value"]) == (1, 1)


def test_bias_is_judged_where_requests_have_the_facet(usual: Traffic) -> None:
    usual.asked |= {"ground_truth": TRUTH, "question": {"problem_type": "BinaryClassification"}}
    bound = {"metric": "DPPL", "facet": "city", "value": "LA", "least": -0.2, "most": 0.2}
    usual.asked |= {"bias": [bound, {**bound, "metric": "AD", "value": None}]}
    answers = [f"{int('NYC' in line)},0.5" for line in lines()]
    usual.capture(*(usual.ask(line, answers[n], name=f"r{n}") for n, line in enumerate(lines())))
    usual.truth({f"r{n}": answers[n][0] for n in range(600)})
    look = usual.look()
    assert look.kinds == {("DPPL", "bias_drift_check")}
    violation = look.violations[0]
    assert (violation["facet"], violation["facet_value"]) == ("city", "LA")
    names = [
        one["name"]
        for one in look.document("bias/statistics.json")["post_training_bias_metrics"]["facets"]["city"][0]["metrics"]
    ]
    assert "DPPL" in names
    usual.asked["bias"] = [{**bound, "facet": "sex"}]
    assert "bias was not judged: requests do not have the column sex" in usual.look().reasons


def test_a_facet_that_requests_lack_leaves_the_others_judged(usual: Traffic) -> None:
    usual.asked |= {"ground_truth": TRUTH, "question": {"problem_type": "BinaryClassification"}}
    bound = {"metric": "DPPL", "value": None, "least": -0.2, "most": 0.2}
    usual.asked |= {"bias": [{**bound, "facet": "sex"}, {**bound, "facet": "city"}]}
    usual.capture(*(usual.ask(line, f"{int('NYC' in line)}", name=f"r{n}") for n, line in enumerate(lines())))
    usual.truth({f"r{n}": str(n % 2) for n in range(600)})
    look = usual.look()
    assert {(one["facet"], one["facet_value"]) for one in look.violations} == {("city", "LA"), ("city", "NYC")}
    assert "bias was not judged: requests do not have the column sex of the facet" in look.reasons
    assert [one["facet"] for one in look.document("bias/constraints.json")["bounds"]] == ["city"]


def test_truth_that_comes_later_is_held_against_what_was_asked_earlier(usual: Traffic) -> None:
    usual.asked |= {"ground_truth": TRUTH, "question": {"problem_type": "BinaryClassification"}, "minimum_rows": 50}
    usual.asked |= {"ground_truth_delay": 24 * 3600, "at_least": {"accuracy": 0.7}}
    usual.capture(*(usual.ask(line, "1", name=f"old{n}", hours=-22) for n, line in enumerate(lines(100))), hours=-22)
    usual.capture(*(usual.ask(line, "1", name=f"new{n}") for n, line in enumerate(lines(60))))
    usual.truth({f"old{n}": "0" for n in range(100)}, hours=2)
    look = usual.look()
    assert ("accuracy", "LessThanThreshold") in look.kinds
    assert look.document("model_quality/statistics.json")["dataset"]["item_count"] == 100
    assert look.document("statistics.json")["dataset"]["item_count"] == 60


def test_model_monitors_own_baseline_is_read(traffic: Traffic) -> None:
    config = {"datatype_check_threshold": 1.0, "domain_content_threshold": 0.5,
              "distribution_constraints": {"comparison_threshold": 0.3, "comparison_method": "Simple"}}  # fmt: skip
    cities = ["NYC" if n % 3 else "LA" for n in range(600)]
    of_model_monitor(traffic, {"_c0": [20.0 + n % 40 for n in range(600)], "_c1": cities}, config)
    traffic.capture(*(traffic.ask(f"{20 + n % 40},{'NYC' if n % 3 else 'Rome'}") for n in range(600)))
    look = traffic.look()
    told = {one["feature"]: one for one in look.document("statistics.json")["lockkeeper"]["distances"]}
    assert told["_c0"].pop("measured") == pytest.approx(0, abs=1e-12)
    assert told["_c0"] == {"feature": "_c0", "method": "Simple", "threshold": 0.3, "exact": True}
    assert look.kinds == {("_c1", "baseline_drift_check")}, "a third of the values are new, and half of them may be"
    assert look.document("constraints.json")["monitoring_config"]["datatype_check_threshold"] == 1.0


def test_a_sketch_that_has_left_values_out_is_said_to_be_about(traffic: Traffic) -> None:
    of_model_monitor(traffic, {"_c0": [float(n % 50) for n in range(400)]})
    path = traffic.root / "baseline" / "statistics.json"
    statistics = json.loads(path.read_text())
    statistics["features"][0]["numerical_statistics"]["distribution"]["kll"]["sketch"]["data"] = [
        [],
        [float(n) for n in range(0, 50, 2)],
    ]
    path.write_text(json.dumps(statistics))
    traffic.capture(*(traffic.ask(f"{n % 50}") for n in range(400)))
    (told,) = traffic.look().document("statistics.json")["lockkeeper"]["distances"]
    assert (told["exact"], told["measured"] < 0.1) == (False, True)


def test_model_monitor_puts_the_answer_before_the_request(traffic: Traffic) -> None:
    of_model_monitor(traffic, {"_c0": [float(n % 2) for n in range(400)], "_c1": [float(n % 50) for n in range(400)]})
    traffic.capture(*(traffic.ask(f"{n % 50}", f"{int(n % 8 == 0)},0.5") for n in range(400)))
    assert traffic.look().kinds == {("_c0", "baseline_drift_check")}


def test_a_column_that_a_request_lacks_is_missing_whatever_is_answered(usual: Traffic) -> None:
    usual.capture(*(usual.ask(line.removesuffix(",a"), "a,0.5,b") for line in lines()))
    assert usual.look().kinds == {("plan", "missing_column_check")}


def test_columns_that_are_ignored_are_no_violation(usual: Traffic) -> None:
    usual.asked["ignore"] = ["plan", "age", "_c4"]
    usual.capture(*(usual.ask(f"x,{line.partition(',')[2].removesuffix(',a')}") for line in lines(200)))
    usual.capture(*(usual.ask(f"{line},7") for line in lines(200)))
    look = usual.look()
    assert look.violations == []
    assert {one["feature"] for one in look.document("statistics.json")["lockkeeper"]["distances"]} == {"height", "city"}


def test_a_capture_prefix_is_read_with_and_without_a_slash(usual: Traffic) -> None:
    usual.capture(*(usual.ask(line) for line in lines(120)))
    usual.asked["capture"] = CAPTURE + "/"
    assert usual.look().document("statistics.json")["dataset"]["item_count"] == 120
