"""Names that fit and differ, the lock's decisions, looks at endpoints and bakes, and what an ending means."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockkeeper.domain import errors
from lockkeeper.domain.cost import cost_of
from lockkeeper.domain.dossier import canonical_json, seal
from lockkeeper.domain.ending import Ending, judge_ending
from lockkeeper.domain.lock import Lock, LockStep, decide_on_lock
from lockkeeper.domain.release import Outcome, Release, Status, Verdict, release_id_for, resource_name, with_verdicts
from lockkeeper.domain.rollout import AlarmLook, EndpointState, Step, judge_bake, look_at_endpoint
from lockkeeper.domain.strategy import Strategy

GROUPS = st.from_regex(r"[a-zA-Z0-9](-?[a-zA-Z0-9]){0,31}", fullmatch=True) | st.from_regex(
    r"[a-z](-v[0-9]-a[0-9]){1,4}", fullmatch=True
)
KEYS = st.tuples(GROUPS, st.integers(1, 999_999_999), st.integers(1, 99))
ENDPOINT_NAME = re.compile(r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")


@given(st.lists(KEYS, min_size=2, max_size=20, unique=True))
def test_names_fit_and_no_two_are_the_same(keys: list[tuple[str, int, int]]) -> None:
    ids = {release_id_for(*key) for key in keys}
    assert len(ids) == len(keys)
    assert max(len(one) for one in ids) <= 80
    names = {resource_name(one, purpose) for one in ids for purpose in ("staging", "production", "bake")}
    assert len(names) == 3 * len(keys)
    assert all(ENDPOINT_NAME.match(name) and len(name) <= 63 for name in names)


def test_the_longest_group_fits() -> None:
    longest = release_id_for("g" * 63, 999_999_999, 99)
    assert len(longest) <= 80
    assert len(resource_name(longest, "production")) == 63
    assert resource_name(longest, "production") != resource_name(
        release_id_for("g" * 63, 999_999_998, 99), "production"
    )


@pytest.mark.parametrize(
    ("lock", "version", "step"),
    [
        (Lock("wages", "me", 2, 1), 2, LockStep.OWN),
        (Lock("wages", "me", 2, 1, superseded_by="other"), 2, LockStep.OWN),
        (Lock("wages", "other", 1, 1), 2, LockStep.SUPERSEDE),
        (Lock("wages", "other", 1, 1, production_begun=True), 2, LockStep.WAIT),
        (Lock("wages", "other", 3, 1), 2, LockStep.GIVE_WAY),
        (Lock("wages", "other", 3, 1, production_begun=True), 2, LockStep.GIVE_WAY),
        (Lock("wages", "other", 2, 1), 2, LockStep.SUPERSEDE),
    ],
)
def test_newer_goes_before_older_and_production_is_not_interrupted(lock: Lock, version: int, step: LockStep) -> None:
    decision = decide_on_lock(lock, "me", version)
    assert decision.step is step
    assert decision.reason


def endpoint(status: str, config: str = "new", reason: str = "") -> EndpointState:
    return EndpointState("wages", "arn", status, config, reason)


@pytest.mark.parametrize(
    ("state", "step", "said"),
    [
        (None, Step.FAILED, "does not exist"),
        (endpoint("InService"), Step.DONE, "InService with new"),
        (endpoint("InService", "old"), Step.FAILED, "SageMaker rolled the update back"),
        (endpoint("InService", "old", "no capacity"), Step.FAILED, "no capacity"),
        (endpoint("Failed", reason="bad image"), Step.FAILED, "bad image"),
        (endpoint("Failed"), Step.FAILED, "no reason given"),
        (endpoint("UpdateRollbackFailed"), Step.FAILED, "UpdateRollbackFailed"),
        *(
            (endpoint(status), Step.STILL, status)
            for status in ("Creating", "Updating", "SystemUpdating", "RollingBack")
        ),
        (endpoint("Deleting"), Step.STILL, "Deleting"),
        (endpoint("SomethingNew"), Step.STILL, "SomethingNew"),
    ],
)
def test_an_endpoint_is_done_failed_or_still_changing(state: EndpointState | None, step: Step, said: str) -> None:
    seen = look_at_endpoint(state, "new")
    assert seen.step is step
    assert said in seen.reason


@pytest.mark.parametrize(
    ("alarms", "state", "invocations", "outcomes"),
    [
        ((), endpoint("InService"), 10, [Outcome.PASSED, Outcome.PASSED]),
        ((), endpoint("InService"), 9, [Outcome.PASSED, Outcome.INCONCLUSIVE]),
        ((), endpoint("InService", "old"), 10, [Outcome.FAILED, Outcome.PASSED]),
        ((), None, 10, [Outcome.FAILED, Outcome.PASSED]),
        # It is being scaled, and serves.
        ((), endpoint("Updating"), 10, [Outcome.PASSED, Outcome.PASSED]),
        ((), endpoint("Updating", "old"), 10, [Outcome.FAILED, Outcome.PASSED]),
        ((), endpoint("RollingBack"), 10, [Outcome.FAILED, Outcome.PASSED]),
        ((AlarmLook("a", "OK", False),), endpoint("InService"), 10, [Outcome.PASSED] * 3),
        ((AlarmLook("a", "INSUFFICIENT_DATA", False),), endpoint("InService"), 10, [Outcome.PASSED] * 3),
        (
            (AlarmLook("a", "ALARM", False),),
            endpoint("InService"),
            10,
            [Outcome.FAILED, Outcome.PASSED, Outcome.PASSED],
        ),
        ((AlarmLook("a", "OK", True),), endpoint("InService"), 10, [Outcome.FAILED, Outcome.PASSED, Outcome.PASSED]),
        (
            (AlarmLook("a", "missing", False),),
            endpoint("InService"),
            10,
            [Outcome.INCONCLUSIVE, Outcome.PASSED, Outcome.PASSED],
        ),
    ],
)
def test_a_look_at_the_bake(
    alarms: tuple[AlarmLook, ...], state: EndpointState | None, invocations: int, outcomes: list[Outcome]
) -> None:
    verdicts = judge_bake(Strategy(minimum_invocations=10), alarms, state, "new", invocations)
    assert [verdict.verdict for verdict in verdicts] == outcomes


def test_without_a_minimum_no_traffic_is_enough() -> None:
    assert judge_bake(Strategy(), (), endpoint("InService"), "new", 0)[-1].verdict is Outcome.PASSED


CAUSE = json.dumps({"errorMessage": "too bad", "errorType": "GateFailed"})


@pytest.mark.parametrize(
    ("ending", "status", "reason"),
    [
        (Ending(), Status.PROMOTED, "passed every gate"),
        (Ending("GateFailed", CAUSE, "JudgeCandidate"), Status.FAILED, "too bad"),
        (Ending("ReleaseRejected", "rejected by Ada", "RequestStagingApproval"), Status.REJECTED, "rejected by Ada"),
        (Ending("ReleaseSuperseded", "newer", "OpenRelease"), Status.SUPERSEDED, "newer"),
        (Ending("States.Timeout", "", "RequestProductionApproval"), Status.EXPIRED, "nobody decided in time"),
        (Ending("States.Timeout", "", "DeployToStaging"), Status.FAILED, "DeployToStaging did not end in time"),
        (Ending("BakeFailed", "alarm", "WatchProduction", True, True), Status.ROLLED_BACK, "alarm"),
        (Ending("DeploymentFailed", "quota", "PromoteToProduction", True), Status.FAILED, "quota"),
        (Ending("DeploymentFailed", "gone", "RollBack"), Status.FAILED, "look at production now: gone"),
        (Ending("Lambda.Unknown", "", "ScanArtifact"), Status.FAILED, "Lambda.Unknown"),
        (Ending("X", "[1, 2]", "ScanArtifact"), Status.FAILED, "[1, 2]"),
        (Ending("X", '{"other": 1}', "ScanArtifact"), Status.FAILED, '{"other": 1}'),
    ],
)
def test_an_ending_means_a_status_and_a_reason(ending: Ending, status: Status, reason: str) -> None:
    found, said = judge_ending(ending)
    assert found is status
    assert reason in said


@given(st.text(), st.text(), st.sampled_from(["OpenRelease", "RollBack", "WatchProduction"]), st.booleans())
def test_every_ending_is_an_end(error: str, cause: str, state: str, rolled_back: bool) -> None:
    status, reason = judge_ending(Ending(error, cause, state, rolled_back=rolled_back))
    assert Release("r", "g", 1, 1, "arn", status=status).ended
    assert reason


def test_errors_that_decide_a_status_exist() -> None:
    for name in {*errors.STATUS_OF_ERROR, *errors.REGISTRY_REJECTIONS}:
        assert issubclass(getattr(errors, name), errors.ReleaseStopped)


def test_a_gate_judged_again_replaces_its_verdict() -> None:
    old = Release("r", "g", 1, 1, "arn", verdicts=(Verdict("a", Outcome.FAILED, ""), Verdict("b", Outcome.PASSED, "")))
    assert [(v.gate, v.verdict) for v in with_verdicts(old, Verdict("a", Outcome.PASSED, ""))] == [
        ("b", Outcome.PASSED),
        ("a", Outcome.PASSED),
    ]


def test_a_seal_is_of_the_content_and_not_of_its_order() -> None:
    assert seal({"a": 1, "b": "ü"}) == seal({"b": "ü", "a": 1})
    assert canonical_json({"b": "ü", "a": 1}) == b'{"a":1,"b":"\\u00fc"}'
    assert seal({"a": 1}) != seal({"a": 2})
    with pytest.raises(ValueError, match="not JSON compliant"):
        seal(float("nan"))


def test_a_release_in_json_has_every_field_that_others_read() -> None:
    document = Release("wages-v1-a1", "wages", 1, 1, "arn", meters={"transitions": 10, "invocations": 12}).to_json()
    promised = (
        "release_id model_package_group version attempt model_package_arn status stage reason verdicts approvals timeline "
        "pins endpoints cost"
    )
    assert set(promised.split()) <= set(document)
    assert set(document["endpoints"]) == {"staging", "production"}
    metered = {"transitions": 10, "invocations": 12, "gb_seconds": 0.0, "usd": 0.0002524}
    assert document["cost"] == {**metered, "endpoint_monthly_usd": None}
    assert json.loads(json.dumps(document)) == document
    assert cost_of({})["usd"] == 0
