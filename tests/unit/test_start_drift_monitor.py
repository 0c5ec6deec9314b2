"""The monitor of a production endpoint: one schedule while a version serves, one job for each window, and what it is asked."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lockkeeper.adapters import monitor_job
from lockkeeper.adapters.in_memory.world import ACCOUNTS, HUB, STAGING
from lockkeeper.domain.errors import PolicyInvalid, TryAgain
from lockkeeper.domain.events import Unusable
from lockkeeper.domain.monitoring import Align, Look, asked_of_job, image_of, job_name, schedule_name, what_is_asked
from lockkeeper.domain.policy import Policy
from lockkeeper.ports import World
from lockkeeper.use_cases.adopt_endpoint import adopt_endpoint
from lockkeeper.use_cases.look_at_traffic import Started, look_at_traffic
from lockkeeper.use_cases.start_drift_monitor import start_drift_monitor
from lockkeeper.use_cases.watch_for_drift import watch_all_for_drift
from lockkeeper.use_cases.watch_for_drift import watch_for_drift as align

from tests.unit.braking import rollback
from tests.unit.harbour import ENDPOINT, GROUP, HOLDOUT, IMAGE, Harbour, alarm_event, package_arn, policy_document
from tests.unit.settled import foreign, serve

BASELINE = "s3://models/baseline.csv"
NOW = datetime(2026, 11, 24, 11, 20, tzinfo=UTC)


def policy(monitor: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    document = policy_document()
    document["production"]["capture"] = {"percent": 100, "to": "s3://captures/here"}
    drift = {"monitor": {"baseline": BASELINE} if monitor is None else monitor}
    return {**document, "drift": drift, **more}


@pytest.fixture
def harbour() -> Harbour:
    port = Harbour()
    port.apply(policy())
    port.world.objects.stored[BASELINE] = HOLDOUT.encode()
    return port


def start(port: Harbour, at: datetime | None = None) -> Started:
    return look_at_traffic(GROUP, at, port.inside)


def job(port: Harbour, started: Started) -> Any:
    return port.world.monitor_jobs.jobs[started.job].wanted


def asked(port: Harbour, started: Started) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(port.world.objects.stored[f"{job(port, started).folder}/job/monitor.json"])
    return document


def watch_for_drift(group: str, world: World) -> str:
    return align(group, world).why


def schedules(port: Harbour) -> dict[str, int]:
    return {name: pace for name, (pace, _) in port.world.schedules.repeated.items()}


def test_a_promoted_version_is_looked_at_from_its_promotion_on(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.pass_time(hours=5)
    started = start(harbour)
    wanted = job(harbour, started)
    since = harbour.world.ledger.champion(GROUP).since  # type: ignore[union-attr]
    assert wanted.environment == {
        "LOCKKEEPER_GROUP": GROUP,
        "LOCKKEEPER_RELEASE": "wages-v1-a1",
        "LOCKKEEPER_ENDPOINT": ENDPOINT,
        "LOCKKEEPER_WINDOW_FROM": since,
        "LOCKKEEPER_WINDOW_TO": f"{harbour.world.clock.now():%Y-%m-%dT%H:%M:%S}.000Z",
    }
    assert (wanted.image.split("@")[0], wanted.instance_type) == (IMAGE.rpartition(":")[0], "ml.m5.large")
    assert wanted.folder == f"s3://lockkeeper-bucket/monitoring/wages/{started.job}"
    told = asked(harbour, started)
    assert told["capture"] == "s3://captures/here/wages/AllTraffic"
    assert told["baseline_sha256"] == {"baseline.csv": hashlib.sha256(HOLDOUT.encode()).hexdigest()}
    assert harbour.world.objects.stored[f"{wanted.inputs['baseline']}/baseline.csv"] == HOLDOUT.encode()
    assert told["question"] == {"problem_type": "BinaryClassification", "positive_label": "1"}
    assert (told["at_least"], told["at_most"], told["bias"]) == ({"accuracy": 0.7}, {}, [])


def test_a_window_is_as_long_as_the_pace(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.pass_time(hours=50)
    at = harbour.world.clock.now() - timedelta(hours=1)
    environment = job(harbour, start(harbour, at.replace(microsecond=0))).environment
    ends = [datetime.fromisoformat(environment[f"LOCKKEEPER_WINDOW_{end}"]) for end in ("FROM", "TO")]
    assert ends[1] - ends[0] == timedelta(days=1)
    assert ends[1] == at.replace(microsecond=0)


def test_whoever_asks_for_the_same_window_again_starts_nothing(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.pass_time(hours=5)
    at = harbour.world.clock.now().replace(microsecond=0)
    started = [start(harbour, at) for _ in range(3)]
    assert [one.job for one in started] == [job_name(GROUP, at), "", ""]
    assert started[1].why == f"{job_name(GROUP, at)} was started before"
    assert len(harbour.world.monitor_jobs.jobs) == 1


def test_the_baseline_is_kept_once_whatever_becomes_of_its_source(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.pass_time(hours=5)
    first = asked(harbour, start(harbour))["baseline_sha256"]
    harbour.world.objects.stored[BASELINE] = b"label,a\n1,2\n"
    harbour.pass_time(hours=5)
    second = start(harbour)
    assert asked(harbour, second)["baseline_sha256"] == first
    assert harbour.world.objects.stored[f"{job(harbour, second).inputs['baseline']}/baseline.csv"] == HOLDOUT.encode()


def test_a_new_version_has_a_baseline_of_its_own_and_a_rollback_brings_back_the_old_one(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.pass_time(hours=5)
    first = start(harbour)
    harbour.world.objects.stored[BASELINE] = b"label,a,b\n1,2,3\n"
    harbour.promote(2)
    harbour.pass_time(hours=5)
    second = start(harbour)
    rollback(harbour)
    harbour.pass_time(hours=1)
    third = start(harbour)
    releases = [job(harbour, one).environment["LOCKKEEPER_RELEASE"] for one in (first, second, third)]
    assert releases == ["wages-v1-a1", "wages-v2-a1", "wages-v1-a1"]
    hashes = [asked(harbour, one)["baseline_sha256"] for one in (first, second, third)]
    assert hashes[0] == hashes[2] != hashes[1]


def registered_baseline(port: Harbour, member: str, **named: dict[str, str]) -> None:
    port.world.registry.packages[package_arn(1)].setdefault(member, {})["ModelDataQuality"] = named
    for one in named.values():
        port.world.objects.stored[one["S3Uri"]] = b"{}"


@pytest.mark.parametrize("member", ["DriftCheckBaselines", "ModelMetrics"])
def test_what_the_registry_names_comes_before_the_policys(harbour: Harbour, member: str) -> None:
    harbour.promote(1)
    harbour.pass_time(hours=5)
    places = {"S3Uri": "s3://models/statistics.json"}, {"S3Uri": "s3://models/constraints.json"}
    registered_baseline(harbour, member, Statistics=places[0], Constraints=places[1])
    assert set(asked(harbour, start(harbour))["baseline_sha256"]) == {"statistics.json", "constraints.json"}
    harbour.pass_time(hours=5)
    registered_baseline(harbour, member, Statistics={"ContentType": "text/csv", "S3Uri": "s3://models/train.csv"})
    assert set(asked(harbour, start(harbour))["baseline_sha256"]) == {"baseline.csv"}


def test_without_data_in_the_policy_the_replays_is_the_baseline() -> None:
    port = Harbour()
    document = policy({})
    dataset = "s3://models/holdout.csv"
    document["staging"] = {"tests": {"replay": {"dataset": dataset, "at_least": {"accuracy": 0}, "minimum_rows": 1}}}
    port.world.objects.stored[dataset] = HOLDOUT.encode()
    port.apply(policy({}))
    port.promote(1)
    port.pass_time(hours=1)
    started = start(port)
    assert "register versions with DriftCheckBaselines" in asked(port, started)["no_baseline"]
    assert job(port, started).inputs == {}
    port.apply(document)
    port.pass_time(hours=1)
    assert "baseline.csv" in asked(port, start(port))["baseline_sha256"]


def test_a_baseline_that_cannot_be_read_is_told_and_looked_for_again(harbour: Harbour) -> None:
    stored = harbour.world.objects.stored.pop(BASELINE)
    harbour.promote(1)
    harbour.pass_time(hours=5)
    assert asked(harbour, start(harbour))["no_baseline"].startswith("drift.monitor.baseline of the policy: s3://models")
    harbour.world.objects.stored[BASELINE] = stored
    harbour.pass_time(hours=5)
    assert "baseline_sha256" in asked(harbour, start(harbour))


def test_a_schedule_comes_with_the_promotion_and_its_pace_follows_the_policy(harbour: Harbour) -> None:
    watch_for_drift(GROUP, harbour.inside)
    assert schedules(harbour) == {}
    harbour.promote(1)
    assert watch_for_drift(GROUP, harbour.inside) == "wages is monitored every 86400 s"
    assert harbour.world.schedules.repeated["wages"][1]["drift_monitor"]["group"] == GROUP
    harbour.apply(policy({"every": "6h"}))
    assert [one.why for one in watch_all_for_drift(harbour.inside)] == ["wages is monitored every 21600 s"]
    assert schedules(harbour) == {"wages": 21600}


def test_a_group_whose_schedule_cannot_be_set_right_keeps_no_other_from_it(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    harbour.promote(1)
    harbour.world.policies.save("alpha", "no policy", "somebody")
    cancel = harbour.world.schedules.cancel

    def refused(name: str) -> None:
        if name == "alpha":
            raise ValueError("no such name")
        cancel(name)

    monkeypatch.setattr(harbour.world.schedules, "cancel", refused)
    with pytest.raises(TryAgain, match="1 schedules are as they were: alpha: ValueError: no such name"):
        watch_all_for_drift(harbour.inside)
    assert schedules(harbour) == {"wages": 86400}


def test_the_baseline_is_that_of_the_promotion_whatever_is_put_in_its_place_before_the_first_look(
    harbour: Harbour,
) -> None:
    harbour.promote(1)
    watch_for_drift(GROUP, harbour.inside)
    harbour.world.objects.stored[BASELINE] = b"label,exp\n1,99\n"
    harbour.pass_time(hours=5)
    started = start(harbour)
    assert harbour.world.objects.stored[f"{job(harbour, started).inputs['baseline']}/baseline.csv"] == HOLDOUT.encode()


@pytest.mark.parametrize("call", ["align", "look"])
def test_the_schedule_goes_with_the_endpoint_and_with_the_policys_word(harbour: Harbour, call: str) -> None:
    harbour.promote(1)
    watch_for_drift(GROUP, harbour.inside)
    harbour.apply(policy_document())
    why = watch_for_drift(GROUP, harbour.inside) if call == "align" else start(harbour).why
    assert why == "wages is not monitored: its policy has no drift.monitor"
    assert schedules(harbour) == {}
    harbour.apply(policy())
    watch_for_drift(GROUP, harbour.inside)
    harbour.world.production.delete(ENDPOINT)
    harbour.settle()
    why = watch_for_drift(GROUP, harbour.inside) if call == "align" else start(harbour).why
    assert why == "wages is not monitored: the endpoint wages is gone"
    assert schedules(harbour) == {}


def test_the_first_release_that_is_taken_back_leaves_no_schedule(harbour: Harbour) -> None:
    harbour.register(1)
    harbour.approve()
    harbour.world.production.change_alarm("wages-errors", "ALARM")
    harbour.tell(alarm_event(harbour.world.production.alarm_arn("wages-errors")))
    harbour.settle()
    assert harbour.release(1).status == "rolled-back"
    assert watch_for_drift(GROUP, harbour.inside) == "wages is not monitored: no version of it serves"
    assert schedules(harbour) == {}


def test_what_was_adopted_has_no_baseline_and_is_not_monitored(harbour: Harbour) -> None:
    serve(harbour.world, foreign(ENDPOINT))
    adopt_endpoint(GROUP, "arn:aws:iam::111111111111:role/Ada", harbour.inside, take_over=False)
    assert "of no release" in watch_for_drift(GROUP, harbour.inside)


def test_an_endpoint_that_captures_nothing_is_told(harbour: Harbour) -> None:
    document = policy()
    del document["production"]["capture"]
    harbour.apply(document)
    harbour.promote(1)
    harbour.pass_time(hours=1)
    assert start(harbour) == Started("", "wages captures nothing: give the policy production.capture")


def test_a_model_of_another_image_needs_one_for_the_job(harbour: Harbour) -> None:
    assert image_of(Policy.model_validate(policy()).drift.monitor, ("1.dkr.ecr.x.amazonaws.com/ours@sha256:1",)) == ""  # type: ignore
    harbour.apply(policy({"image": "own/image:1"}))
    harbour.promote(1)
    harbour.pass_time(hours=1)
    assert job(harbour, start(harbour)).image == "own/image:1"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"drift_monitor": {}}, Align("")),
        ({"drift_monitor": {"group": GROUP}}, Look(GROUP, None)),
        ({"drift_monitor": {"group": GROUP, "at": "2026-11-24T11:00:00Z"}}, Look(GROUP, NOW.replace(minute=0))),
        ({"drift_monitor": {"group": GROUP, "at": "2026-11-24T11:00:00.7"}}, Look(GROUP, NOW.replace(minute=0))),
        ({"drift_monitor": {"group": GROUP, "at": "2026-11-24T12:00:00Z"}}, Look(GROUP, None)),
        ({"drift_monitor": {"group": GROUP, "at": "2025-11-24T12:00:00Z"}}, Look(GROUP, None)),
        ({"drift_monitor": {"group": GROUP, "at": "<aws.scheduler.scheduled-time>"}}, Look(GROUP, None)),
        ({"source": "lockkeeper", "account": HUB, "detail-type": "Release Promoted",
          "detail": {"model_package_group": GROUP}}, Align(GROUP)),
    ],
)  # fmt: skip
def test_calls_are_understood(event: dict[str, Any], expected: Any) -> None:
    assert what_is_asked(event, ACCOUNTS, NOW) == expected


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"drift_monitor": {"group": "../x"}},
        {"drift_monitor": {"group": ["wages"]}},
        {"drift_monitor": "wages"},
        {"drift_monitor": {"at": "2026-11-24T11:00:00Z"}},
        {"source": "x", "drift_monitor": {"group": GROUP}},
        {
            "source": "lockkeeper",
            "account": STAGING,
            "detail-type": "Release Promoted",
            "detail": {"model_package_group": GROUP},
        },
        {
            "source": "lockkeeper",
            "account": HUB,
            "detail-type": "Release Opened",
            "detail": {"model_package_group": GROUP},
        },
        {
            "source": "lockkeeper",
            "account": HUB,
            "detail-type": "Release Promoted",
            "detail": {"model_package_group": "a b"},
        },
        {"source": "lockkeeper", "account": HUB, "detail-type": "Release Promoted", "detail": None},
    ],
)
def test_other_events_start_nothing(event: dict[str, Any]) -> None:
    assert isinstance(what_is_asked(event, ACCOUNTS, NOW), Unusable)


def test_one_call_looks_and_another_sets_schedules_right(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.pass_time(hours=1)
    looked = start_drift_monitor({"drift_monitor": {"group": GROUP}}, harbour.inside)
    assert isinstance(looked, Started)
    assert looked.job.startswith("lockkeeper-monitor-wages-")
    for asked in ({"drift_monitor": {}}, {"source": "lockkeeper", "account": HUB, "detail-type": "Release Promoted",
                                          "detail": {"model_package_group": GROUP}}):  # fmt: skip
        harbour.world.schedules.cancel("wages")
        (aligned,) = start_drift_monitor(asked, harbour.inside)  # type: ignore[misc]
        assert (aligned.monitored, schedules(harbour)) == (True, {"wages": 86400})  # type: ignore[union-attr]
    assert isinstance(start_drift_monitor({}, harbour.inside), Unusable)


@pytest.mark.parametrize("group", ["w", "wages", "Wages", "x" * 28, "x" * 29, "X-" * 31 + "X"])
def test_names_fit_and_tell_groups_apart(group: str) -> None:
    name = job_name(group, NOW)
    assert len(name) <= 63
    assert name == name.lower()
    assert name.startswith("lockkeeper-monitor-")
    assert name != job_name(group.swapcase(), NOW)
    assert name != job_name(group, NOW + timedelta(seconds=1))
    assert len(schedule_name(group)) <= 64


def test_bounds_are_the_policys_or_those_of_its_gates() -> None:
    document = policy({"ground_truth": "s3://models/truth", "method": "simple", "distance": 0.2})
    document["gates"]["quality"] += [
        {"metric": "binary_classification_metrics.false_positive_rate.value", "at_most": 0.3},
        {"metric": "binary_classification_metrics.recall.value", "at_least": 0.5, "slices": "sex"},
        {"metric": "slices.sex.female.x", "at_least": 0.5},
    ]
    document["gates"]["bias"] = [
        {"metric": "DPPL", "facet": "sex", "within": [-0.2, 0.2]},
        {"metric": "CI", "facet": "sex", "at_most": 0.9},
    ]
    rules = Policy.model_validate(document)
    told = asked_of_job(rules, rules.drift.monitor, "s3://captured", {})  # type: ignore[union-attr, arg-type]
    assert (told["at_least"], told["at_most"]) == ({"accuracy": 0.7}, {"false_positive_rate": 0.3})
    assert told["bias"] == [{"metric": "DPPL", "facet": "sex", "value": None, "least": -0.2, "most": 0.2}]
    assert told["limits"] == {"method": "Simple", "distance": 0.2}
    document["drift"]["monitor"]["at_least"] = {"recall": 0.1}
    rules = Policy.model_validate(document)
    told = asked_of_job(rules, rules.drift.monitor, "s3://captured", {})  # type: ignore[union-attr, arg-type]
    assert (told["at_least"], told["at_most"]) == ({"recall": 0.1}, {})


@pytest.mark.parametrize(
    ("monitor", "why"),
    [
        ({"every": "1m"}, "between 5m and 31d"),
        ({"ground_truth_delay": "32d", "ground_truth": "s3://models/x"}, "between 0s and 31d"),
        ({"at_least": {"accuracy": 0.5}}, "at_least without ground_truth"),
        ({"p_value": 0.01}, "p_value is that of chi-squared"),
        ({"drifts": 1}, "unknown key"),
    ],
)
def test_rules_that_cannot_be_are_refused(harbour: Harbour, monitor: dict[str, Any], why: str) -> None:
    from lockkeeper.domain.policy import parse_policy

    harbour.apply(policy(monitor))
    with pytest.raises(PolicyInvalid, match=why):
        parse_policy(harbour.world.policies.load(GROUP).text, source="wages.yaml")


def test_the_archive_holds_the_monitor_and_the_evaluation_and_is_the_same_every_time() -> None:
    packed = monitor_job.pack()
    assert packed == monitor_job.pack()
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        names = set(archive.namelist())
    assert {"__main__.py", "jobs/__init__.py", "jobs/drift_monitor/main.py", "jobs/evaluation/bias_metrics.py"} <= names
    assert all(name.startswith("jobs/") or name == "__main__.py" for name in names)


def test_the_archive_needs_nothing_of_the_project_beside_it(tmp_path: Path) -> None:
    archive = tmp_path / "monitor.zip"
    archive.write_bytes(monitor_job.pack())
    # Without `site` nothing that is installed is found: the project's own packages are none that a container has.
    found = f"import sys; sys.path.insert(0, {str(archive)!r}); import jobs.drift_monitor as it; print(it.__file__)"
    done = subprocess.run([sys.executable, "-S", "-c", found], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(archive))
