"""What monitors found is read back: SageMaker's and Lockkeeper's own, all four kinds, and files that are wrong."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lockkeeper.adapters.in_memory.world import PRODUCTION
from lockkeeper.domain.accounts import Accounts
from lockkeeper.domain.drift import DriftSignal, signal_from
from lockkeeper.domain.drift_hints import ScheduleTold, drift_hint
from lockkeeper.domain.retraining import Answer
from lockkeeper.domain.violations import KNOWN, Drifted, read_rows, read_violations, told_of

from tests.conftest import Figure
from tests.unit.drifting import Drifting, job_event
from tests.unit.harbour import ENDPOINT, GROUP

DATA = {
    "feature_name": "exp",
    "constraint_check_type": "baseline_drift_check",
    "description": "Baseline drift distance: 0.136 exceeds threshold: 0.1",
}
QUALITY = {
    "constraint_check_type": "LessThanThreshold",
    "description": "Metric f2 with 0.47 was LessThanThreshold 0.56.",
    "metric_name": "f2",
}
BIAS = {
    "facet": "sex",
    "facet_value": "female",
    "metric_name": "DPPL",
    "constraint_check_type": "bias_drift_check",
    "description": "Value -0.31 does not meet the constraint requirement",
}
ATTRIBUTION = {
    "label": "label0",
    "metric_name": "shap",
    "constraint_check_type": "feature_attribution_drift_check",
    "description": "Feature attribution drift 0.76 exceeds threshold 0.9",
}
FORM = {
    "feature_name": "union",
    "constraint_check_type": "missing_column_check",
    "description": "There are missing columns in current dataset. Number of columns in current dataset: 7",
}
MODEL_MONITOR = {
    "sagemaker_endpoint_name": ENDPOINT,
    "sagemaker_monitoring_schedule_name": "wages-hourly",
    "start_time": "2026-11-24T10:00:00Z",
    "end_time": "2026-11-24T12:00:00Z",
}


@pytest.fixture
def drifting() -> Drifting:
    return Drifting()


@pytest.mark.parametrize(
    ("violation", "drifted"),
    [
        (DATA, Drifted("exp", "baseline_drift_check", 0.136, 0.1, DATA["description"])),
        (QUALITY, Drifted("f2", "LessThanThreshold", 0.47, 0.56, QUALITY["description"])),
        (BIAS, Drifted("DPPL of sex=female", "bias_drift_check", -0.31, None, BIAS["description"])),
        (ATTRIBUTION, Drifted("shap", "feature_attribution_drift_check", 0.76, 0.9, ATTRIBUTION["description"])),
        (FORM, Drifted("union", "missing_column_check", 7.0, None, FORM["description"])),
        ({}, Drifted("something", "unknown")),
    ],
)
def test_a_violation_of_each_kind_is_understood(violation: dict[str, Any], drifted: Drifted) -> None:
    assert read_violations(json.dumps({"violations": [violation]}).encode()) == (drifted,)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (None, "is not there"),
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b"{}", "has no list of violations"),
        (b'{"violations": {}}', "has no list of violations"),
        (b'{"violations": []}', "has no violation in it"),
        (b'{"violations": ["exp", 7, null]}', "has no violation in it"),
    ],
)
def test_a_file_that_says_nothing_says_why(body: bytes | None, said: str) -> None:
    assert said in str(read_violations(body))


def test_rows_are_known_where_the_statistics_say_them() -> None:
    assert read_rows(b'{"dataset": {"item_count": 612}}') == 612
    for body in (
        None,
        b"{",
        b"[]",
        b'{"dataset": 7}',
        b'{"dataset": {"item_count": "NaN"}}',
        b'{"dataset": {"item_count": NaN}}',
    ):
        assert read_rows(body) is None


def test_many_violations_are_told_in_few_words() -> None:
    assert told_of(Drifted(f"f{number}", "event", 0.2, 0.1) for number in range(7)).endswith(
        "f4 0.2 (threshold 0.1) and 2 more"
    )


@pytest.mark.parametrize("violation", [DATA, QUALITY, BIAS, ATTRIBUTION], ids=lambda one: one["constraint_check_type"])
@pytest.mark.parametrize("folder", ["", "data_quality/"])
def test_what_lockkeepers_monitor_found_starts_a_retraining(
    drifting: Drifting, violation: dict[str, Any], folder: str
) -> None:
    (kept,) = drifting.tell(drifting.monitor([violation], folder=folder))
    assert kept.answer is Answer.STARTED
    assert (kept.signal.source, kept.signal.release, kept.signal.version) == ("lockkeeper-monitor", "wages-v1-a1", 1)
    assert (kept.signal.rows, kept.signal.endpoint) == (612, ENDPOINT)
    assert kept.signal.window_from < kept.signal.window_to == drifting.now()
    assert kept.signal.evidence == "s3://lockkeeper-bucket/monitoring/wages/lockkeeper-monitor-wages-1"
    assert "on 612 rows" in kept.reason


def test_several_kinds_of_one_job_are_one_signal(drifting: Drifting) -> None:
    drifting.monitor([QUALITY], folder="model_quality/")
    (kept,) = drifting.tell(drifting.monitor([DATA], folder="data_quality/"))
    assert kept.signal.names == {"exp", "f2"}


def test_what_model_monitor_found_is_read_from_wherever_it_lies(drifting: Drifting) -> None:
    drifting.world.clock.advance(timedelta(hours=3))
    event = drifting.monitor(
        [DATA],
        name="model-monitoring-202611241200-0123",
        environment=MODEL_MONITOR,
        bucket="sagemaker-team",
        schedule="wages-hourly",
    )
    (kept,) = drifting.tell(event)
    assert (kept.signal.source, kept.signal.version) == ("model-monitor", None)
    assert (kept.signal.window_from, kept.signal.window_to) == ("2026-11-24T10:00:00.000Z", "2026-11-24T12:00:00.000Z")
    assert kept.answer is Answer.STARTED, kept.reason


def test_a_schedules_event_leads_to_its_newest_job_and_to_the_same_signal(drifting: Drifting) -> None:
    name = "model-monitoring-202611241200-0123"
    job = drifting.monitor(
        [DATA], name=name, environment={**MODEL_MONITOR, "end_time": drifting.now()}, schedule="wages-hourly"
    )
    drifting.world.production_look.schedules["wages-hourly"] = name
    arn = f"arn:aws:sagemaker:eu-central-1:{PRODUCTION}:monitoring-schedule/wages-hourly"
    event = {**job, "detail-type": "SageMaker Monitoring Schedule State Change", "resources": [arn], "detail": {}}
    (by_schedule,) = drifting.tell(event)
    (by_job,) = drifting.tell(job)
    assert by_schedule == by_job
    assert drifting.started() == 1
    drifting.world.production_look.schedules.clear()
    assert drifting.ignored(event) == "monitoring schedule wages-hourly has run no job"


def test_a_schedule_is_named_in_the_detail_or_in_the_resources() -> None:
    accounts = Accounts(PRODUCTION, PRODUCTION, PRODUCTION, PRODUCTION)
    arn = f"arn:aws:sagemaker:eu-central-1:{PRODUCTION}:monitoring-schedule/wages-hourly"
    event = {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Monitoring Schedule State Change",
        "account": PRODUCTION,
    }
    for detail, resources in (({"MonitoringScheduleArn": arn}, None), ({}, [None, arn])):
        assert drift_hint({**event, "detail": detail, "resources": resources}, accounts) == ScheduleTold("wages-hourly")


def test_monitors_that_found_nothing_say_so(drifting: Drifting) -> None:
    assert drifting.ignored(drifting.monitor(message="Completed: no violations")).endswith(
        "found nothing: Completed: no violations"
    )
    assert drifting.ignored(drifting.monitor(message="")).endswith("found nothing: it left no message")
    failed = drifting.monitor(status="Failed", failure="AlgorithmError: capture is empty")
    assert drifting.ignored(failed).endswith("is Failed: AlgorithmError: capture is empty")
    assert drifting.ignored(drifting.monitor(environment={})).endswith("is no monitor's job")
    elsewhere = {"sagemaker_endpoint_name": "prices"}
    assert drifting.ignored(drifting.monitor(environment=elsewhere)).endswith(
        "is about 'prices', which no policy is for"
    )
    gone = drifting.monitor()
    drifting.world.production_look.monitor_jobs.clear()
    assert drifting.ignored(gone).startswith("there is no Processing job")
    arn = gone["detail"]["ProcessingJobArn"]
    assert drifting.ignored(job_event(arn, "x", "InProgress")).endswith("is still INPROGRESS")
    replay = arn.replace("lockkeeper-monitor-wages-1", "lockkeeper-wages-v1-a1-replay")
    assert drifting.ignored(job_event(replay, "x")).endswith("is a job of a release")
    assert drifting.started() == 0


@pytest.mark.parametrize(
    ("violations", "answer", "said"),
    [
        (None, Answer.UNREAD, "there is no constraint_violations.json in s3://lockkeeper-bucket/monitoring/wages/"),
        (b"{", Answer.UNREAD, "constraint_violations.json is not JSON"),
        ([], Answer.UNREAD, "has no violation in it"),
        ([DATA, FORM], Answer.OTHER_FORM, "look at who asks the endpoint"),
        (
            [{**DATA, "constraint_check_type": "moon_phase_check"}],
            Answer.NOT_TRAINABLE,
            "does not know (moon_phase_check)",
        ),
        ([{**DATA, "constraint_check_type": "completeness_check"}], Answer.NOT_TRAINABLE, "values that are missing"),
    ],
)
def test_violations_that_training_does_not_mend_start_nothing(
    drifting: Drifting, violations: Any, answer: Answer, said: str
) -> None:
    (kept,) = drifting.tell(drifting.monitor(violations))
    assert (kept.answer, drifting.started()) == (answer, 0)
    assert said in kept.reason


def test_a_bucket_that_may_not_be_read_is_told(drifting: Drifting) -> None:
    event = drifting.monitor([DATA], environment={**MODEL_MONITOR, "end_time": drifting.now()}, bucket="somebodys")
    drifting.world.objects.forbidden.add("s3://somebodys/monitoring/wages/lockkeeper-monitor-wages-1/")
    (kept,) = drifting.tell(event)
    assert (kept.answer, drifting.started()) == (Answer.UNREAD, 0)
    assert "may not be listed" in kept.reason


def test_a_monitor_with_the_baseline_of_another_version_is_stale(drifting: Drifting) -> None:
    event = drifting.monitor([DATA])
    drifting.release(2)
    (kept,) = drifting.tell(event)
    assert kept.answer is Answer.STALE
    assert "it is about wages-v1-a1, and wages-v2-a1 serves by now" in kept.reason


def test_a_name_with_capitals_is_looked_up_as_it_is_spelt(drifting: Drifting) -> None:
    (kept,) = drifting.tell(drifting.monitor([DATA], name="Lockkeeper-Monitor-Wages"))
    assert kept.answer is Answer.STARTED


def test_a_signal_is_read_back_as_it_was_kept(drifting: Drifting) -> None:
    (kept,) = drifting.tell(drifting.monitor([DATA, BIAS]))
    assert signal_from(json.loads(json.dumps(kept.signal.to_json()))) == kept.signal
    assert signal_from({**kept.signal.to_json(), "of a newer version": 1}) == kept.signal


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
NAMED = st.fixed_dictionaries(
    {"name": st.text(min_size=1, max_size=300)}, optional={"measured": VALUES, "threshold": VALUES, "more": VALUES}
)
DETAILS = st.fixed_dictionaries(
    {"model_package_group": st.just(GROUP), "drifted": st.lists(NAMED, min_size=1, max_size=3)},
    optional={
        "id": VALUES,
        "rows": st.integers(0, 10**6) | VALUES,
        "version": st.integers(0, 3) | VALUES,
        "window": VALUES,
        "endpoint_name": st.just(ENDPOINT) | VALUES,
        "evidence": VALUES,
        "unknown": VALUES,
    },
) | st.dictionaries(st.sampled_from(["model_package_group", "drifted", "rows"]), VALUES)


def test_no_hostile_event_raises_and_each_gets_a_reason(figure: Figure) -> None:
    drifting, seen = Drifting(), {"kept": 0, "ignored": 0}

    @settings(max_examples=400)
    @given(detail=DETAILS, time=st.sampled_from([drifting.now()] * 4 + [None, 7, "", "yesterday", {}]))
    def hostile(detail: dict[str, Any], time: Any) -> None:
        event = {**drifting.event(), "detail": detail, "time": time}
        told = drifting.tell(event)
        if isinstance(told, list):
            seen["kept"] += 1
            assert all(kept.reason for kept in told)
            assert all(json.dumps(kept.to_json(), allow_nan=False) for kept in told)
        else:
            seen["ignored"] += 1
            assert told.reason
            assert "\n" not in told.reason

    hostile()
    figure(
        "hostile drift events",
        f"{seen['kept']} kept and {seen['ignored']} ignored with a reason, 0 raised, {drifting.started()} retrainings",
        "0 raised, at most 1 retraining",
    )
    assert seen["kept"] > 20
    assert drifting.started() <= 1


@settings(max_examples=300)
@given(
    violations=st.lists(
        st.dictionaries(
            st.sampled_from(
                ["feature_name", "metric_name", "constraint_check_type", "description", "facet", "facet_value"]
            ),
            VALUES | st.sampled_from(sorted(KNOWN)),
        ),
        max_size=5,
    )
)
def test_no_hostile_file_raises(violations: list[dict[str, Any]]) -> None:
    read = read_violations(json.dumps({"violations": violations}).encode())
    if not isinstance(read, str):
        signal = DriftSignal("id", "event", GROUP, "2026-11-24T12:00:00.000Z", read)
        assert json.dumps(signal.to_json(), allow_nan=False)
        assert all("\n" not in f"{one.name}{one.words}{one.check}" for one in read)
