"""Autoscaling of production: set once a version serves, kept across updates and ways back, gone where it must go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lockkeeper.domain.errors import DeploymentFailed
from lockkeeper.domain.gates.cost import cost_of_production
from lockkeeper.domain.gates.preflight import fleets_of
from lockkeeper.domain.policy import parse_policy
from lockkeeper.domain.release import Status
from lockkeeper.domain.rollout import EndpointState, judge_bake
from lockkeeper.domain.scaling import Scaled
from lockkeeper.domain.strategy import Strategy
from lockkeeper.use_cases.keep_house import QUIET, keep_house

from tests.unit.harbour import ALARM, ENDPOINT, Harbour, alarm_event, policy_document
from tests.unit.test_policy import GOOD, refusal
from tests.unit.test_strategies import SHIFTED

SCALING = {"min": 2, "max": 4, "invocations_per_instance": 200}
REGISTERED = Scaled(2, 4, 200)
SCALED = GOOD + "  initial_instances: 2\n  autoscaling: {min: 2, max: 4, invocations_per_instance: 200}\n"


@pytest.mark.parametrize(
    ("text", "old", "new", "line", "said"),
    [
        (SCALED, "min: 2", "min: 0", 15, "autoscaling.min: Input should be greater than or equal to 1"),
        (SCALED, "max: 4", "max: 101", 15, "autoscaling.max: Input should be less than or equal to 100"),
        (SCALED, "max: 4", "max: 1", 15, "min is 2 and max is 1; set max to 2 or more, or min lower"),
        (SCALED, "instance: 200", "instance: 0", 15, "invocations_per_instance: Input should be greater than or equal to 1"),
        (SCALED, ", invocations_per_instance: 200", "", 15, "autoscaling.invocations_per_instance: missing; add it"),
        (SCALED, "initial_instances: 2", "initial_instances: 1", 9, "initial_instances is 1 and autoscaling keeps 2 to 4; set it"),
        (SCALED, "initial_instances: 2", "initial_instances: 5", 9, "initial_instances is 5 and autoscaling keeps 2 to 4; set it"),
        (SCALED, "ml.m5.large", "ml.t2.medium", 9, "SageMaker does not scale burstable instances; choose another instance_type"),
        (
            SHIFTED + "  autoscaling: {min: 1, max: 4, invocations_per_instance: 200}\n", "", "", 9,
            "canary with autoscaling down to 1: there would be no part of it to shift; set autoscaling.min to 2",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_scaled_is_refused_with_its_line_and_its_cure(
    text: str, old: str, new: str, line: int, said: str
) -> None:
    assert old in text
    (told,) = refusal(text.replace(old, new, 1)).splitlines()
    assert told.startswith(f"wages.yaml:{line}: ")
    assert said in told


def scaled_policy(**production: Any) -> dict[str, Any]:
    document = policy_document()
    document["production"] |= {"initial_instances": 2, "autoscaling": SCALING, **production}
    return document


@pytest.fixture
def harbour() -> Harbour:
    harbour = Harbour()
    harbour.apply(scaled_policy())
    return harbour


def scaled(harbour: Harbour) -> Scaled | None:
    return harbour.world.production.scaled.get(ENDPOINT)


def told(harbour: Harbour, version: int, what: str) -> list[str]:
    return [entry.why for entry in harbour.release(version).timeline if entry.what == what]


def fail_in_the_bake(harbour: Harbour, version: int) -> None:
    harbour.register(version)
    harbour.approve()
    assert harbour.release(version).status is Status.BAKING
    harbour.world.production.change_alarm(ALARM, "ALARM")
    harbour.tell(alarm_event(harbour.world.production.alarm_arn(ALARM)))
    harbour.settle()
    harbour.world.production.change_alarm(ALARM, "OK")


def test_a_version_is_scaled_once_it_serves(harbour: Harbour) -> None:
    harbour.register(1)
    assert scaled(harbour) is None
    harbour.approve()
    assert scaled(harbour) == REGISTERED
    assert told(harbour, 1, "autoscaling") == [
        "endpoint wages, registered: 2 to 4 instances, 200 requests a minute each"
    ]


def test_an_update_keeps_the_instances_that_there_are(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.promote(2)
    assert harbour.release(2).status is Status.PROMOTED
    assert harbour.world.production.kept_capacity == {ENDPOINT: True}
    assert scaled(harbour) == REGISTERED


def test_what_is_scaled_anew_begins_with_the_instances_of_its_policy(harbour: Harbour) -> None:
    harbour.apply(policy_document())
    harbour.promote(1)
    harbour.apply(scaled_policy())
    harbour.promote(2)
    assert harbour.world.production.kept_capacity == {ENDPOINT: False}
    assert scaled(harbour) == REGISTERED


def test_other_bounds_hold_with_the_version_that_brings_them(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.apply(scaled_policy(autoscaling={**SCALING, "max": 9}))
    harbour.promote(2)
    assert scaled(harbour) == replace(REGISTERED, max=9)


def test_the_way_back_keeps_the_instances_and_brings_back_the_bounds(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.apply(scaled_policy(autoscaling={**SCALING, "max": 9}))
    fail_in_the_bake(harbour, 2)
    assert harbour.release(2).status is Status.ROLLED_BACK
    assert harbour.world.production.kept_capacity == {ENDPOINT: True}
    assert scaled(harbour) == REGISTERED
    assert told(harbour, 2, "autoscaling put back") == ["2 to 4 instances, 200 requests a minute each"]


def test_a_release_that_ends_before_production_leaves_autoscaling_alone(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.apply(scaled_policy(autoscaling={**SCALING, "max": 9}))
    harbour.register(2)
    harbour.world.production.change_alarm(ALARM, "ALARM")
    harbour.approve()
    assert harbour.release(2).status is Status.FAILED
    assert scaled(harbour) == REGISTERED
    assert not told(harbour, 2, "autoscaling put back")


def test_another_instance_type_is_deregistered_for_the_time_of_the_update(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.apply(scaled_policy(instance_type="ml.c5.large"))
    harbour.promote(2)
    assert harbour.release(2).status is Status.PROMOTED
    assert harbour.world.production.kept_capacity == {ENDPOINT: False}
    assert scaled(harbour) == REGISTERED


def test_another_instance_type_that_fails_goes_back_scaled_as_it_was(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.apply(scaled_policy(instance_type="ml.c5.large", autoscaling={**SCALING, "max": 3}))
    fail_in_the_bake(harbour, 2)
    assert harbour.release(2).status is Status.ROLLED_BACK
    assert harbour.world.production.kept_capacity == {ENDPOINT: False}
    assert scaled(harbour) == REGISTERED


def test_an_update_that_sagemaker_takes_back_is_scaled_as_it_was(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.apply(scaled_policy(instance_type="ml.c5.large"))
    harbour.register(2)
    harbour.world.production.advance = lambda name: False  # type: ignore[method-assign]
    harbour.approve()
    assert scaled(harbour) is None
    del harbour.world.production.advance  # type: ignore[method-assign]
    harbour.world.production.fail(ENDPOINT, "the container did not pass the ping health check")
    harbour.tell_of_endpoint(harbour.world.production.arn_of(ENDPOINT))
    harbour.settle()
    assert harbour.release(2).status is Status.FAILED
    assert scaled(harbour) == REGISTERED


def test_a_policy_that_drops_autoscaling_ends_it_and_its_way_back_begins_it_again(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.apply(policy_document())
    harbour.promote(2)
    assert harbour.release(2).status is Status.PROMOTED
    assert scaled(harbour) is None
    harbour.apply(scaled_policy())
    harbour.promote(3)
    harbour.apply(policy_document())
    fail_in_the_bake(harbour, 4)
    assert scaled(harbour) == REGISTERED


def test_autoscaling_that_is_new_with_a_version_goes_with_it(harbour: Harbour) -> None:
    harbour.apply(policy_document())
    harbour.promote(1)
    harbour.apply(scaled_policy(instance_type="ml.c5.large"))
    fail_in_the_bake(harbour, 2)
    assert harbour.release(2).status is Status.ROLLED_BACK
    assert scaled(harbour) is None


def test_a_first_version_that_is_taken_back_leaves_no_autoscaling(harbour: Harbour) -> None:
    fail_in_the_bake(harbour, 1)
    assert harbour.release(1).status is Status.ROLLED_BACK
    assert harbour.world.production.look(ENDPOINT) is None
    assert scaled(harbour) is None


def by_others(harbour: Harbour) -> None:
    harbour.world.production.scaled[ENDPOINT] = Scaled(1, 8, None, ("evenings",))


def test_an_endpoint_that_others_scale_keeps_its_instances_and_their_policies(harbour: Harbour) -> None:
    harbour.apply(policy_document())
    harbour.promote(1)
    by_others(harbour)
    harbour.promote(2)
    assert harbour.world.production.kept_capacity == {ENDPOINT: True}
    assert scaled(harbour) == Scaled(1, 8, None, ("evenings",))
    fail_in_the_bake(harbour, 3)
    assert harbour.world.production.kept_capacity == {ENDPOINT: True}
    assert scaled(harbour) == Scaled(1, 8, None, ("evenings",))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            scaled_policy(),
            "scaled by evenings already; delete those scaling policies, or take autoscaling out of the policy",
        ),
        (
            {**policy_document(), "production": {**policy_document()["production"], "instance_type": "ml.c5.large"}},
            "evenings scale it, and under them its instance type cannot change; deregister its scalable target first",
        ),
    ],
)
def test_what_does_not_go_with_the_scaling_of_others_changes_nothing(
    harbour: Harbour, change: dict[str, Any], said: str
) -> None:
    harbour.apply(policy_document())
    harbour.promote(1)
    by_others(harbour)
    harbour.apply(change)
    harbour.register(2)
    harbour.approve()
    assert harbour.release(2).status is Status.FAILED
    assert said in harbour.release(2).reason
    assert harbour.world.production.kept_capacity == {}
    assert harbour.serving() == "lockkeeper-wages-v1-a1-production"


def test_a_refusal_to_scale_takes_the_version_back(harbour: Harbour) -> None:
    harbour.promote(1)
    usual = harbour.world.production.scale

    def refuse(endpoint_name: str, wanted: Scaled, variant: str) -> None:
        raise DeploymentFailed(f"endpoint {endpoint_name} cannot be scaled: AccessDeniedException")

    harbour.world.production.scale = refuse  # type: ignore[method-assign]
    harbour.register(2)
    harbour.approve()
    assert harbour.serving() == "lockkeeper-wages-v1-a1-production"
    assert "cannot be scaled" in harbour.release(2).reason
    assert "AccessDenied" in told(harbour, 2, "autoscaling not put back")[0]
    harbour.world.production.scale = usual  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("status", "outcome"), [("Updating", "passed"), ("RollingBack", "failed"), ("Failed", "failed")]
)
def test_a_bake_that_ends_while_the_endpoint_is_being_scaled_is_judged_by_what_serves(
    status: str, outcome: str
) -> None:
    state = EndpointState("wages", "arn", status, "config")
    verdicts = judge_bake(Strategy(), (), state, "config", 10)
    assert next(str(one.verdict) for one in verdicts if one.gate == "bake: serving") == outcome


def test_the_cost_of_a_scaled_endpoint_is_what_it_costs_at_most() -> None:
    policy = parse_policy(SCALED, source="wages.yaml")
    cost = cost_of_production(policy.production)
    assert cost.monthly_usd == 335.8
    assert cost.words.startswith("$335.80 a month at most: 2 to 4 x ml.m5.large at $0.115 an hour")
    assert fleets_of(policy, serves=True, staging_here=True)["ml.m5.large"] == 2 * 4 + 1


def test_an_idle_endpoint_that_is_removed_is_not_scaled_any_more(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.apply({**scaled_policy(), "cleanup": {"idle_after": "14d", "remove": ["idle-endpoint"]}})
    harbour.pass_time(days=15)
    keep_house(QUIET, harbour.inside, cleanup=True)
    harbour.settle()
    assert harbour.world.production.look(ENDPOINT) is None
    assert scaled(harbour) is None
