"""What is looked at in production before anybody is asked: each gate failing, inconclusive and passing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lockkeeper.adapters.in_memory.look import TRUSTS_SAGEMAKER
from lockkeeper.domain.gates.preflight import Preflight, fleets_of, judge_preflight, judge_quotas, needs_of
from lockkeeper.domain.hosting import Hosting, hosting_of
from lockkeeper.domain.policy import Policy
from lockkeeper.domain.release import Outcome, Pin, Pins, Status, Verdict
from lockkeeper.use_cases.guard_production import guarding_alarms

from tests.unit.harbour import ALARM, Harbour, policy_document
from tests.unit.settled import KEY, foreign, serve


@pytest.fixture
def harbour() -> Harbour:
    return Harbour()


FINE = Preflight(role_arn="arn:aws:iam::333333333333:role/models", role_trust=TRUSTS_SAGEMAKER)
USAGE = "ml.m5.large for endpoint usage"
INF1 = {"instance_type": "ml.inf1.xlarge", "initial_instances": 2, "alarms": [{"errors_5xx": 5}]}


def policy(**production: Any) -> Policy:
    document = policy_document()
    document["production"] |= production
    return Policy.model_validate(document)


def judged(seen: Preflight, given: Policy | None = None) -> dict[str, Verdict]:
    bare = given or policy()
    hosting = hosting_of(bare.production, seen.deployed, "s3://ours/captured")
    return {one.gate: one for one in judge_preflight(bare.hosted(hosting), hosting, seen)}


def policy_of_serverless() -> Policy:
    document = policy_document()
    del document["production"]["instance_type"]
    size = {"memory_mb": 2048, "max_concurrency": 5}
    document["production"] |= {"target": "serverless", "serverless": size}
    return Policy.model_validate(document)


def without_instances() -> Policy:
    document = policy_document()
    del document["production"]["instance_type"]
    return Policy.model_validate(document)


@pytest.mark.parametrize(
    ("state", "outcome", "said"),
    [
        ("OK", Outcome.PASSED, "it is OK"),
        ("INSUFFICIENT_DATA", Outcome.PASSED, "INSUFFICIENT_DATA"),
        ("ALARM", Outcome.FAILED, "it is in ALARM"),
        ("missing", Outcome.FAILED, "there is no such alarm"),
    ],
)
def test_an_alarm_is_there_and_calm(state: str, outcome: Outcome, said: str) -> None:
    verdict = judged(replace(FINE, alarms={ALARM: state}))[f"preflight: alarm {ALARM}"]
    assert (verdict.verdict, verdict.measured, verdict.required) == (outcome, state, "OK")
    assert said in verdict.reason


@pytest.mark.parametrize(
    ("trust", "outcome", "said"),
    [
        (TRUSTS_SAGEMAKER, Outcome.PASSED, "models may be taken by SageMaker"),
        ("{}", Outcome.FAILED, "models does not trust sagemaker.amazonaws.com"),
        ("", Outcome.FAILED, "there is no role models"),
        (None, Outcome.INCONCLUSIVE, "name it in FurtherModelRoles"),
    ],
)
def test_the_role_is_one_that_sagemaker_may_take(trust: str | None, outcome: Outcome, said: str) -> None:
    verdict = judged(replace(FINE, role_trust=trust))["preflight: role"]
    assert verdict.verdict is outcome
    assert said in verdict.reason


@pytest.mark.parametrize(
    ("state", "outcome", "said"),
    [
        ("Enabled", Outcome.PASSED, "is enabled"),
        ("PendingDeletion", Outcome.FAILED, "is PendingDeletion; enable it"),
        ("", Outcome.FAILED, "is missing"),
        (None, Outcome.INCONCLUSIVE, "of the production account alone"),
    ],
)
def test_the_key_can_be_used(state: str | None, outcome: Outcome, said: str) -> None:
    verdict = judged(replace(FINE, deployed=foreign("wages"), key_state=state))["preflight: key"]
    assert verdict.verdict is outcome
    assert said in verdict.reason
    assert KEY in verdict.reason


def test_without_a_key_there_is_none_to_judge() -> None:
    assert "preflight: key" not in judged(FINE)


def test_a_quota_that_is_known_is_enough_or_not() -> None:
    enough, short = (judge_quotas({"ml.m5.large": 3}, {USAGE: value})[0] for value in (3.0, 2.0))
    assert (enough.verdict, enough.measured, enough.required) == (Outcome.PASSED, 3.0, ">= 3")
    assert short.verdict is Outcome.FAILED
    assert f"ask for 3 in Service Quotas: {USAGE}" in short.reason


@pytest.mark.parametrize("allowed", [None, {}, {"ml.c5.large for endpoint usage": 0.0}])
def test_a_quota_that_nobody_tells_stops_nothing(allowed: dict[str, float] | None) -> None:
    assert judge_quotas({"ml.m5.large": 3}, allowed) == ()


@pytest.mark.parametrize(
    ("strategy", "serves", "staging_here", "wanted"),
    [
        ({}, False, False, 4),
        ({}, True, False, 8),
        ({}, True, True, 9),
        ({"canary": {"percent": 10, "wait": "1m"}}, True, False, 8),
        ({"rolling": {"percent": 30, "wait": "1m"}}, True, False, 6),
    ],
)
def test_an_update_needs_two_fleets_or_one_and_a_batch(
    strategy: dict[str, Any], serves: bool, staging_here: bool, wanted: int
) -> None:
    given = policy(initial_instances=4, strategy=strategy, alarms=[{"errors_5xx": 5}])
    assert fleets_of(given, serves, staging_here) == {"ml.m5.large": wanted}


def test_an_endpoint_that_serves_can_be_updated_or_says_why_not() -> None:
    assert "it will be created" in judged(FINE)["preflight: endpoint"].reason
    kept = judged(replace(FINE, deployed=foreign("wages"), key_state="Enabled"))["preflight: endpoint"]
    assert kept.verdict is Outcome.PASSED
    assert "capture" in kept.reason
    serverless = foreign("wages", ProductionVariants=[{"VariantName": "a", "ModelName": "b", "ServerlessConfig": {}}])
    refused = judged(replace(FINE, deployed=serverless))["preflight: endpoint"]
    assert refused.verdict is Outcome.FAILED
    assert "it is serverless" in refused.reason
    without = policy_of_serverless()
    assert judged(replace(FINE, deployed=serverless), without)["preflight: endpoint"].verdict is Outcome.PASSED
    other = judged(replace(FINE, deployed=foreign("wages"), key_state="Enabled"), without)["preflight: endpoint"]
    assert "it is not serverless, as the policy's target is" in other.reason


@pytest.mark.parametrize(("adopted", "outcome"), [(False, Outcome.FAILED), (True, Outcome.PASSED)])
def test_an_endpoint_of_cloudformation_is_left_alone_until_somebody_takes_it_over(
    adopted: bool, outcome: Outcome
) -> None:
    seen = replace(FINE, deployed=foreign("wages", stack="platform"), key_state="Enabled", adopted=adopted)
    assert judged(seen)["preflight: endpoint"].verdict is outcome


def test_a_policy_without_instances_needs_something_that_serves() -> None:
    refused = judged(FINE, without_instances())["preflight: endpoint"]
    assert refused.verdict is Outcome.FAILED
    assert "production.instance_type is left out" in refused.reason
    taken = judged(replace(FINE, deployed=foreign("wages"), key_state="Enabled"), without_instances())
    assert taken["preflight: endpoint"].verdict is Outcome.PASSED


def test_a_shift_that_sagemaker_would_silently_leave_out_is_refused() -> None:
    canary = {"canary": {"percent": 10, "wait": "1m"}}
    refused = judged(FINE, policy(**INF1, strategy=canary))["preflight: strategy"]
    assert refused.verdict is Outcome.FAILED
    assert "all at once, whatever it is told" in refused.reason
    assert "preflight: strategy" not in judged(FINE, policy(**INF1, strategy={}))
    fine = policy(**{**INF1, "instance_type": "ml.m5.large"}, strategy=canary)
    assert judged(FINE, fine)["preflight: strategy"].verdict is Outcome.PASSED


def test_while_an_alarm_is_on_nobody_is_asked(harbour: Harbour) -> None:
    harbour.world.production.change_alarm(ALARM, "ALARM")
    harbour.register(1)
    release = harbour.release(1)
    assert release.status is Status.FAILED
    assert f"preflight: alarm {ALARM}: it is in ALARM" in release.reason
    assert "judged" in release.pins.seals
    assert harbour.world.mail.letters == []
    assert harbour.world.production.endpoints == {}
    assert harbour.world.registry.packages[release.model_package_arn]["ModelApprovalStatus"] == "PendingManualApproval"


def test_what_serves_is_pinned_and_sealed_with_the_evidence(harbour: Harbour) -> None:
    serve(harbour.world, foreign("wages"))
    harbour.register(1)
    release = harbour.release(1)
    assert release.status is Status.AWAITING_APPROVAL
    assert release.pins.hosting["vpc"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert release.pins.hosting["instance_type"] == "ml.m5.large"


READS, WRITES = ("s3:GetObject", "arn:aws:s3:::b/artifacts/x"), ("s3:PutObject", "arn:aws:s3:::team/captured/*")


@pytest.mark.parametrize(
    ("permitted", "outcome", "said"),
    [
        ({READS: True, WRITES: True}, Outcome.PASSED, "models may do what serving the version takes"),
        ({READS: True, WRITES: False}, Outcome.FAILED, "models may not s3:PutObject on arn:aws:s3:::team/captured/*"),
        ({READS: False, WRITES: None}, Outcome.FAILED, "add it to the role's own policies"),
        ({READS: None, WRITES: True}, Outcome.INCONCLUSIVE, "IAM does not let Lockkeeper ask"),
    ],
)
def test_the_models_role_may_do_what_serving_takes(
    permitted: dict[tuple[str, str], bool | None], outcome: Outcome, said: str
) -> None:
    verdict = judged(replace(FINE, permitted=permitted))["preflight: permissions"]
    assert verdict.verdict is outcome
    assert said in verdict.reason
    assert verdict.required == "s3:GetObject, s3:PutObject"


@pytest.mark.parametrize("trust", ["", None, "{}"])
def test_of_a_role_that_cannot_be_taken_nothing_more_is_said(trust: str | None) -> None:
    assert "preflight: permissions" not in judged(replace(FINE, role_trust=trust, permitted={READS: False}))


@pytest.mark.parametrize(
    ("image", "capture", "needs"),
    [
        (
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/team/model@sha256:1",
            {},
            [("ecr:BatchGetImage", "arn:aws-cn:ecr:cn-north-1:123456789012:repository/team/model")],
        ),
        ("docker.example.com/model:1", {}, []),
        (
            "docker.example.com/model:1",
            {"EnableCapture": True, "DestinationS3Uri": "s3://team/captured/"},
            [("s3:PutObject", "arn:aws-cn:s3:::team/captured/endpoint/variant/file.jsonl")],
        ),
        ("docker.example.com/model:1", {"EnableCapture": False, "DestinationS3Uri": "s3://team/captured"}, []),
    ],
)
def test_what_a_role_needs_is_told_by_artifact_image_and_capture(
    image: str, capture: dict[str, Any], needs: list[tuple[str, str]]
) -> None:
    pins = Pins((Pin("s3://theirs/model.tar.gz", "s3://ours/artifacts/x/model.tar.gz", "x"),), (image, image))
    asked = needs_of(pins, Hosting(capture=capture), "arn:aws-cn:iam::333333333333:role/models")
    assert list(asked) == [("s3:GetObject", "arn:aws-cn:s3:::ours/artifacts/x/model.tar.gz"), *needs]


def test_a_role_behind_a_queue_needs_the_requests_that_it_is_asked_with() -> None:
    pins = Pins((Pin("s3://theirs/model.tar.gz", "s3://ours/artifacts/x/model.tar.gz", "x"),), ())
    role = "arn:aws:iam::333333333333:role/models"
    asked = needs_of(pins, Hosting(), role, requests="s3://ours/artifacts/requests")
    assert asked[1:] == (("s3:GetObject", "arn:aws:s3:::ours/artifacts/requests/request"),)


def test_a_role_that_may_not_look_at_the_alarms_of_an_update_stops_the_release_before_anybody_is_asked(
    harbour: Harbour,
) -> None:
    document = policy_document()
    document["production"]["alarms"] = [ALARM, {"errors_5xx": 5}]
    harbour.apply(document)
    harbour.world.production_look.permissions["cloudwatch:DescribeAlarms"] = False
    harbour.promote(1)
    assert harbour.release(1).status is Status.PROMOTED, "a first version is created, and no update can be taken back"
    harbour.register(2)
    release = harbour.release(2)
    assert release.status is Status.FAILED
    for alarm in (ALARM, f"lockkeeper-{release.release_id}-alarm-1-errors-5xx"):
        assert f"cloudwatch:DescribeAlarms on {harbour.world.production.alarm_arn(alarm)}" in release.reason


@pytest.mark.parametrize("target", ["serverless", "batch"])
def test_where_sagemaker_guards_no_update_nobody_is_asked_whether_it_may_look_at_alarms(target: str) -> None:
    for guarded in ("real-time", "async"):
        assert guarding_alarms("wages-v1-a1", policy().production.model_copy(update={"target": guarded}))
    assert not guarding_alarms("wages-v1-a1", policy().production.model_copy(update={"target": target}))


def test_a_role_that_may_not_read_the_artifact_stops_the_release_before_anybody_is_asked(harbour: Harbour) -> None:
    harbour.world.production_look.permissions["s3:GetObject"] = False
    harbour.register(1)
    release = harbour.release(1)
    assert release.status is Status.FAILED
    assert "may not s3:GetObject on arn:aws:s3:::" in release.reason


def shadowed(**production: Any) -> Policy:
    return policy(strategy={"shadow": {}, "bake": "10m"}, **production)


@pytest.mark.parametrize(
    ("changes", "captures", "outcome", "said"),
    [
        ({}, True, Outcome.PASSED, "wages can have a shadow, and both can be captured"),
        ({}, False, Outcome.FAILED, "champions, under which the champion runs, may not write what it answers"),
        ({}, None, Outcome.INCONCLUSIVE, "name it in FurtherModelRoles, or leave shadow out of the policy"),
        ({"Containers": [{}, {}]}, True, Outcome.FAILED, "what serves has 2 containers in series"),
    ],
)
def test_a_champion_can_have_a_shadow_and_be_captured_beside_it(
    changes: dict[str, Any], captures: bool | None, outcome: Outcome, said: str
) -> None:
    deployed = foreign("wages")
    deployed = replace(deployed, model={**deployed.model, **changes})
    seen = replace(FINE, deployed=deployed, champion_role="arn:aws:iam::3:role/champions", champion_captures=captures)
    verdict = judged(seen, shadowed())["preflight: shadow"]
    assert verdict.verdict is outcome
    assert said in verdict.reason
    assert "preflight: shadow" not in judged(seen)
    assert "preflight: shadow" not in judged(FINE, shadowed())


def test_there_is_no_shadow_beside_a_champion_on_inferentia() -> None:
    deployed = foreign("wages")
    deployed.config["ProductionVariants"][0]["InstanceType"] = "ml.inf1.xlarge"
    verdict = judged(replace(FINE, deployed=deployed, champion_captures=True), shadowed())["preflight: shadow"]
    assert (verdict.verdict, verdict.measured) == (Outcome.FAILED, "ml.inf1.xlarge")


def test_a_shadow_needs_a_third_fleet() -> None:
    assert fleets_of(shadowed(initial_instances=2), serves=True, staging_here=False) == {"ml.m5.large": 6}
    assert fleets_of(shadowed(initial_instances=2), serves=False, staging_here=False) == {"ml.m5.large": 2}


def test_both_roles_are_asked_whether_what_a_shadow_is_compared_by_could_be_written(harbour: Harbour) -> None:
    document = policy_document()
    document["production"]["strategy"]["shadow"] = {}
    harbour.apply(document)
    harbour.promote(1)
    asked: list[tuple[str, ...]] = []
    look = harbour.world.production_look
    look.may = lambda *what: bool(asked.append(what)) or True  # type: ignore[method-assign]
    harbour.register(2)
    written = [one for one in asked if one[1] == "s3:PutObject"]
    role = "arn:aws:iam::333333333333:role/endpoint-execution"
    folder = "arn:aws:s3:::lockkeeper-bucket/captured/shadows/endpoint/variant/file.jsonl"
    assert written == [(role, "s3:PutObject", folder)] * 2
    assert {one.gate: one.verdict for one in harbour.release(2).verdicts}["preflight: shadow"] is Outcome.PASSED
