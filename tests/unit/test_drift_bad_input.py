"""Whatever lies where traffic, ground truth and baselines should be, the monitor ends with a reason."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.drift_monitor import objects
from jobs.drift_monitor.columns import numbers_of
from jobs.drift_monitor.errors import MonitorError
from jobs.drift_monitor.objects import FolderObjects, lines_of
from jobs.drift_monitor.payloads import rows_of
from tests.unit.monitored import BEGINS, CAPTURE, RELEASE, TRUTH, Traffic, traffic

__all__ = ["traffic"]

BASELINE = "label,age,city\n" + "".join(f"{n % 2},{n % 40},{'NYC' if n % 3 else 'LA'}\n" for n in range(300))
HOUR = f"{CAPTURE}/{BEGINS:%Y/%m/%d/%H}"


@pytest.fixture
def usual(traffic: Traffic) -> Traffic:
    traffic.baseline(BASELINE)
    traffic.capture(*(traffic.ask(f"{n % 40},{'NYC' if n % 3 else 'LA'}", "1", name=f"r{n}") for n in range(300)))
    return traffic


def test_a_file_that_is_cut_off_counts_as_far_as_it_goes(usual: Traffic) -> None:
    whole = json.dumps(usual.ask("1,LA"))
    usual.write(f"{HOUR}/cut.jsonl", f"{whole}\n{whole[:-30]}")
    look = usual.look()
    assert look.document("statistics.json")["dataset"]["item_count"] == 301
    assert "1 captured lines were left out: no record of a capture" in look.message
    assert (look.status, look.violations) == (0, [])


@pytest.mark.parametrize(
    "line",
    [b"", b"\n\n", b"\xff\xfe\x00", b"[]", b"null", b"17", b'{"captureData": null, "eventMetadata": {}}', b"[" * 100_000,
     b'{"captureData": {"endpointInput": 1}, "eventMetadata": {"inferenceTime": "2026-03-02T08:30:00Z"}}',
     b'{"captureData": {"endpointInput": {"data": "!", "encoding": "BASE64"}}, "eventMetadata": {}}',
     b'{"captureData": {"endpointInput": {"data": "{", "encoding": "JSON"}}, "eventMetadata": {"inferenceTime": "soon"}}',
     b'{"captureData": {"endpointInput": {"data": "1", "encoding": "PARQUET"}}, "eventMetadata": {}}'],
)  # fmt: skip
def test_lines_that_are_no_records_stop_nothing(usual: Traffic, line: bytes) -> None:
    usual.write(f"{HOUR}/odd.jsonl", line)
    look = usual.look()
    assert (look.status, look.violations, look.document("statistics.json")["dataset"]["item_count"]) == (0, [], 300)
    assert "left out" in look.message or "1 of 2 capture files were empty" in look.message


@pytest.mark.parametrize("unread", [1, 2])
def test_files_that_cannot_be_read_are_counted_and_none_at_all_is_a_failure(
    usual: Traffic, monkeypatch: pytest.MonkeyPatch, unread: int
) -> None:
    usual.write(f"{HOUR}/zz.jsonl", json.dumps(usual.ask("1,LA")))
    opened = FolderObjects.open

    def refused(self: FolderObjects, uri: str) -> Any:
        if unread == 2 or uri.endswith("zz.jsonl"):
            raise MonitorError(f"{uri} cannot be read: AccessDenied")
        return opened(self, uri)

    monkeypatch.setattr(FolderObjects, "open", refused)
    look = usual.look()
    if unread == 2:
        assert (look.status, "none of 2 capture files can be read: " in look.message) == (1, True)
    else:
        assert (look.status, look.document("statistics.json")["dataset"]["item_count"]) == (0, 300)
        assert "1 of 2 capture files were not read to their end: " in look.message


def test_no_traffic_is_said_and_is_no_violation(traffic: Traffic) -> None:
    traffic.baseline(BASELINE)
    look = traffic.look()
    assert (look.status, look.violations) == (0, [])
    assert look.message.startswith("Completed: 0 rows, 0 violations; nothing was captured from 2026-03-02")


def test_a_line_of_any_length_takes_the_room_of_the_longest_that_is_read(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(objects, "MOST_OF_A_LINE", 3 << 20)
    path = tmp_path / "long"
    path.write_bytes(b"a\n" + b"x" * (9 << 20) + b"\nb\n" + b"y" * (2 << 20) + b"\n" + b"z" * (5 << 20))
    with path.open("rb") as stream:
        found = [(line[:1], len(line)) for line in lines_of(stream)]
    assert found == [(b"a", 1), (b"x", 1024), (b"b", 1), (b"y", 2 << 20), (b"z", 1024)]


def test_hundreds_of_unknown_columns_are_counted_up_to_a_bound(usual: Traffic) -> None:
    usual.capture(*(usual.ask(json.dumps({f"column {n}": n}), encoding="JSON") for n in range(500)))
    look = usual.look()
    assert len(look.document("statistics.json")["features"]) <= 2 + 50
    assert ("age", "missing_column_check") in look.kinds


def test_other_columns_are_violations_and_no_crash(traffic: Traffic) -> None:
    traffic.baseline(BASELINE)
    traffic.capture(*(traffic.ask(json.dumps({"height": n, "Age": n}), encoding="JSON") for n in range(200)))
    assert traffic.look().kinds == {
        ("age", "missing_column_check"), ("city", "missing_column_check"),
        ("height", "extra_column_check"), ("Age", "extra_column_check"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"baseline_release": "wages-v2-a1"}, f"the baseline is that of wages-v2-a1, and {RELEASE} serves"),
        ({"baseline_release": ""}, f"the baseline is that of no release, and {RELEASE} serves"),
        ({"no_baseline": "nobody has named one"}, "nobody has named one"),
        ({"baseline_sha256": {"baseline.csv": "0" * 64}}, "is not what was kept when the version was promoted"),
        ({"baseline_sha256": {"statistics.json": "0" * 64}}, "is not what was kept when the version was promoted"),
    ],
)
def test_the_baseline_of_something_else_judges_nothing(usual: Traffic, asked: dict[str, object], why: str) -> None:
    usual.asked |= asked
    look = usual.look()
    assert (look.status, look.violations) == (0, [])
    assert why in look.message
    assert look.document("statistics.json")["dataset"]["item_count"] == 300


@pytest.mark.parametrize(
    "baseline", ["", "label,age,city\n", "label\n1\n", '"', "a,b\n1,2,3\n1\n", "\x00\x01", "label,age\n1,\n1,\n"]
)
def test_a_baseline_that_is_none_judges_nothing(usual: Traffic, baseline: str) -> None:
    usual.baseline(baseline)
    look = usual.look()
    assert look.status == 0
    assert "baseline_drift_check" not in {check for _, check in look.kinds}


@pytest.mark.parametrize(
    "statistics",
    ["{", "[]", "null", "{}", '{"features": 3}', '{"features": [{}]}', '{"features": []}', "[" * 100_000,
     '{"features": [{"name": "age", "numerical_statistics": {"common": {"num_present": "many"}}}]}',
     '{"features": [{"name": "age", "numerical_statistics": {"distribution": {"kll": {"sketch": {"data": [["x"]]}}}}}]}',
     '{"features": [{"name": "age", "numerical_statistics": {"distribution": {"kll": null}}}]}',
     '{"features": [{"name": "age", "string_statistics": {"distribution": {"categorical": {"buckets": [{}]}}}}]}'],
)  # fmt: skip
def test_model_monitors_files_that_are_none_judge_nothing(traffic: Traffic, statistics: str) -> None:
    traffic.capture(*(traffic.ask("1,LA") for _ in range(200)))
    traffic.baseline(statistics, "statistics.json")
    traffic.baseline('{"features": []}', "constraints.json")
    look = traffic.look()
    assert (look.status, look.violations) == (0, [])
    assert "data quality was not judged: " in look.message


@pytest.mark.parametrize(
    ("truth", "why"),
    [
        ("", "there is no ground truth yet"),
        ("nonsense\n", "1 lines of ground truth were left out"),
        ('{"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": "stranger"}}',
         "of 300 answers the truth of 0 is known, 100 are needed"),
        ('{"groundTruthData": {"data": "1\\n0", "encoding": "CSV"}, "eventMetadata": {"eventId": "r1"}}',
         "ground truth of 1 requests has another number of rows"),
    ],
)  # fmt: skip
def test_ground_truth_that_is_missing_or_unusable_is_said(usual: Traffic, truth: str, why: str) -> None:
    usual.asked |= {"ground_truth": TRUTH, "question": {"problem_type": "BinaryClassification"}}
    if truth:
        usual.write(f"{TRUTH}/{BEGINS:%Y/%m/%d/%H}/labels.jsonl", truth)
    look = usual.look()
    assert (look.status, look.violations) == (0, [])
    assert why in look.message
    assert "model quality was not judged" in look.message


def test_labels_that_do_not_fit_the_problem_are_said(usual: Traffic) -> None:
    usual.asked |= {"ground_truth": TRUTH, "question": {"problem_type": "Regression"}, "at_most": {"mae": 1}}
    usual.truth({f"r{n}": "many" for n in range(300)})
    look = usual.look()
    assert (look.status, look.violations) == (0, [])
    assert "model quality was not judged: 300 of 300 rows have no usable value in the column label" in look.message
    usual.asked |= {"question": None}
    assert "nobody has said of which kind" in usual.look().message


@pytest.mark.parametrize("asked", [[], {}, {"capture": CAPTURE, "bias": 7}, {"capture": CAPTURE, "question": {"x": 1}}])
def test_asked_in_another_way_it_fails_with_the_reason(usual: Traffic, asked: Any) -> None:
    usual.asked = asked
    look = usual.look()
    assert look.status == 1
    assert look.message.startswith("the monitor was asked in a way that it does not know")


def test_a_message_is_no_longer_than_sagemaker_keeps(usual: Traffic) -> None:
    usual.capture(*(usual.ask(json.dumps({f"{'x' * 90}{n % 40}": n}), encoding="JSON") for n in range(2000)))
    look = usual.look()
    assert len(look.violations) > 20
    assert len(look.message) == 1024


@pytest.mark.parametrize("cell", ["\xa06\x1c", "\x1c6", "6\u2028", " 6 "])
def test_a_number_among_odd_blanks_is_a_number_or_a_text(cell: str) -> None:
    numbers, texts = numbers_of([cell, "a"])
    assert (list(numbers), [one.strip() for one in texts]) in (([6.0], ["a"]), ([], ["6", "a"]))


NAMES = st.sampled_from(["instances", "features", "age", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.full
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(JSON.map(json.dumps) | st.text(max_size=30), min_size=1, max_size=6),
    st.sampled_from(["CSV", "JSON", "BASE64", ""]),
)
def test_payloads_of_any_kind_end_with_an_answer(traffic: Traffic, bodies: list[str], encoding: str) -> None:
    traffic.baseline(BASELINE)
    traffic.asked["minimum_rows"] = 1
    traffic.capture(*(traffic.ask(body, body, encoding=encoding) for body in bodies))
    look = traffic.look()
    assert look.status == 0
    assert look.message.startswith("Completed")


@given(JSON)
def test_a_side_is_rows_or_a_value_error(side: object) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(rows_of(side), list)
