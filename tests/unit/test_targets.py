"""Where a version is hosted: what a kind of endpoint cannot have is refused by the policy, and an endpoint stays what it is."""

from __future__ import annotations

from typing import Any

import pytest
from lockkeeper.domain.gates.cost import cost_of_production
from lockkeeper.domain.gates.preflight import fleets_of
from lockkeeper.domain.policy import parse_policy
from lockkeeper.domain.release import Status
from lockkeeper.domain.targets import Fleet, Serverless

from tests.unit.harbour import ALARM, ENDPOINT, IMAGE, IMAGE_DIGEST, Harbour, alarm_event, package_arn, policy_document
from tests.unit.settled import KEY, foreign
from tests.unit.test_policy import GOOD, refusal

SIZE = {"memory_mb": 2048, "max_concurrency": 20}
ON_DEMAND = GOOD.replace(
    "  instance_type: ml.m5.large\n", "  target: serverless\n  serverless: {memory_mb: 2048, max_concurrency: 20}\n"
)
SERVED, BAKE = "  serverless: {memory_mb: 2048, max_concurrency: 20}\n", "    bake: 10m\n"
CANARY = "    canary: {percent: 10, wait: 10m}\n"
LINEAR = "    linear: {percent: 10, wait: 10m}\n"
ROLLING = "    rolling: {percent: 10, wait: 10m}\n"
ALL_AT_ONCE = "SageMaker moves the traffic of serverless endpoints all at once; remove"


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("target: serverless", "target: batch", 9, "endpoint_name with target batch, which has no endpoint; remove it"),
        ("target: serverless", "target: edge", 11, "target: Input should be 'real-time', 'serverless', 'async' or 'batch'"),
        (SERVED, "", 9, "target serverless without its size; add serverless: {memory_mb: 2048, max_concurrency: 20}"),
        ("memory_mb: 2048", "memory_mb: 2000", 12, "memory_mb: Input should be 1024, 2048, 3072, 4096, 5120 or 6144"),
        ("concurrency: 20", "concurrency: 201", 12, "max_concurrency: Input should be less than or equal to 200"),
        ("concurrency: 20", "concurrency: 20, provisioned_concurrency: 21", 12, "provisioned_concurrency is 21 and max_concurrency 20"),
        (SERVED, f"{SERVED}  instance_type: ml.m5.large\n", 9, "instance_type with target serverless, which has no instances; remove it"),
        (SERVED, f"{SERVED}  initial_instances: 1\n", 9, "initial_instances with target serverless, which has no instances"),
        (SERVED, f"{SERVED}  hourly_usd: 1\n", 9, "hourly_usd with target serverless, which has no instances"),
        (
            SERVED, f"{SERVED}  autoscaling: {{min: 1, max: 2, invocations_per_instance: 9}}\n", 9,
            "autoscaling with target serverless, which has no instances",
        ),
        (SERVED, f"{SERVED}  monthly_budget_usd: 100\n", 9, "monthly_budget_usd with target serverless, whose cost depends on"),
        (BAKE, CANARY + BAKE, 9, f"canary with target serverless: {ALL_AT_ONCE} canary"),
        (BAKE, LINEAR + BAKE, 9, f"linear with target serverless: {ALL_AT_ONCE} linear"),
        (BAKE, ROLLING + BAKE, 9, f"rolling with target serverless: {ALL_AT_ONCE} rolling"),
        ("target: serverless", "target: real-time", 9, "serverless with target real-time; remove it"),
        (
            "target: serverless", "target: real-time\n  instance_type: ml.m5.large", 9,
            "serverless with target real-time; remove it, or set target to serverless",
        ),
        ("production:\n", "staging: {instance_type: ml.m5.large}\nproduction:\n", 1, "staging.instance_type with target serverless"),
        ("production:\n", "staging: {initial_instances: 2}\nproduction:\n", 1, "staging.initial_instances with target serverless"),
        ("production:\n", "staging: {target: real-time}\nproduction:\n", 1, "staging on target real-time without instances; add"),
        ("production:\n", "staging: {target: async}\nproduction:\n", 9, "target async: contract, replay, latency, load and safety"),
        ("production:\n", "staging: {target: batch}\nproduction:\n", 9, "target batch: the tests of staging ask an endpoint"),
        (SERVED, SERVED + "  asynchronous: {output: s3://team/answers}\n", 9, "asynchronous with target serverless; remove it"),
    ],
)  # fmt: skip
def test_what_a_target_cannot_have_is_refused_with_its_line_and_its_cure(
    old: str, new: str, line: int, said: str
) -> None:
    assert old in ON_DEMAND
    (told,) = refusal(ON_DEMAND.replace(old, new, 1)).splitlines()
    assert told.startswith(f"wages.yaml:{line}: ")
    assert said in told


@pytest.mark.parametrize(
    ("staging", "said"),
    [
        ("{target: serverless}", "staging on target serverless without its size; add staging.serverless"),
        (
            "{serverless: {memory_mb: 1024, max_concurrency: 1}}",
            "staging.serverless with target real-time; remove it, or set staging.target to serverless",
        ),
    ],
)
def test_staging_that_is_hosted_in_no_possible_way_is_refused(staging: str, said: str) -> None:
    assert said in refusal(GOOD.replace("production:\n", f"staging: {staging}\nproduction:\n"))


def test_staging_is_of_productions_kind_unless_it_says_otherwise() -> None:
    size = Serverless.model_validate(SIZE)
    policy = parse_policy(ON_DEMAND, source="wages.yaml")
    assert (policy.production.fleet, policy.staging_fleet) == (Fleet(serverless=size), Fleet(serverless=size))
    other = ON_DEMAND.replace(
        "production:\n", "staging: {target: real-time, instance_type: ml.m5.large}\nproduction:\n"
    )
    assert parse_policy(other, source="wages.yaml").staging_fleet == Fleet("ml.m5.large", 1)
    small = "staging: {target: serverless, serverless: {memory_mb: 1024, max_concurrency: 2}}\nproduction:\n"
    policy = parse_policy(GOOD.replace("production:\n", small), source="wages.yaml")
    assert policy.staging_fleet.in_words == "serverless with 1024 MB, 2 requests at once"
    assert policy.production.fleet == Fleet("ml.m5.large", 1)


def test_a_serverless_endpoint_costs_what_is_asked_and_nobody_says_a_sum() -> None:
    policy = parse_policy(ON_DEMAND, source="wages.yaml")
    cost = cost_of_production(policy.production)
    assert (cost.monthly_usd, cost.size) == (None, "serverless with 2048 MB, 20 requests at once")
    assert cost.words.startswith("depends on what is asked: nothing while nobody asks, $0.00004 for each second")
    assert fleets_of(policy, serves=True, staging_here=True) == {}
    kept = ON_DEMAND.replace("concurrency: 20", "concurrency: 20, provisioned_concurrency: 5")
    words = cost_of_production(parse_policy(kept, source="wages.yaml").production).words
    assert "the price of 5 provisioned (no price of those is listed) while nobody asks" in words


QUEUED = GOOD.replace(
    "  instance_type: ml.m5.large\n",
    "  instance_type: ml.m5.large\n  target: async\n  asynchronous: {output: s3://team/answers}\n",
).replace("production:\n", "staging: {target: real-time}\nproduction:\n")
ANSWERS = "  asynchronous: {output: s3://team/answers}\n"
UNPUBLISHED = "alarms: [{metric: {namespace: AWS/SageMaker, name: Invocations, statistic: Sum, below: 1}}]"
BACKLOG = "alarms: [{metric: {namespace: AWS/SageMaker, name: ApproximateBacklogSize, above: 9}}]"


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        (ANSWERS, "", 10, "target async without a place for its answers; add asynchronous: {output: s3://...}"),
        ("target: async", "target: real-time", 10, "asynchronous with target real-time; remove it, or set target to async"),
        ("s3://team/answers", "/answers", 14, "asynchronous.output: String should match pattern"),
        ("answers}", "answers, max_concurrent_per_instance: 1001}", 14, "max_concurrent_per_instance: Input should be less"),
        ("answers}", "answers, error_topic: me@example.com}", 14, "asynchronous.error_topic: String should match pattern"),
        (ANSWERS, f"{ANSWERS}  serverless: {{memory_mb: 1024, max_concurrency: 1}}\n", 10, "serverless with target async"),
        (
            ANSWERS, f"{ANSWERS}  autoscaling: {{min: 1, max: 2, invocations_per_instance: 9}}\n", 10,
            "autoscaling with target async: invocations_per_instance does not see the queue; remove it",
        ),
        (ANSWERS, f"{ANSWERS}  {UNPUBLISHED}\n", 10, "an alarm on Invocations with target async, of which SageMaker does not"),
        ("staging: {target: real-time}\n", "", 1, "target async: contract, replay, latency, load and safety ask for answers"),
    ],
)  # fmt: skip
def test_what_a_queue_cannot_have_is_refused_with_its_line_and_its_cure(
    old: str, new: str, line: int, said: str
) -> None:
    assert old in QUEUED
    (told,) = refusal(QUEUED.replace(old, new, 1)).splitlines()
    assert told.startswith(f"wages.yaml:{line}: ")
    assert said in told


def test_the_backlog_is_no_metric_of_what_has_no_queue() -> None:
    told = refusal(GOOD.replace(BAKE, f"{BAKE}  {BACKLOG}\n", 1))
    assert "an alarm on ApproximateBacklogSize with target real-time: SageMaker publishes it of asynchronous" in told


@pytest.mark.parametrize("alarms", [BACKLOG, "alarms: [{errors_5xx: 5}]"])
def test_a_queue_has_the_alarms_that_are_published_of_it_and_a_count_of_its_requests(alarms: str) -> None:
    policy = parse_policy(
        QUEUED.replace(BAKE, f"{BAKE}    minimum_invocations: 9\n", 1).replace(ANSWERS, f"{ANSWERS}  {alarms}\n"),
        source="wages.yaml",
    )
    assert len(policy.production.made_alarms) == 1
    assert policy.production.strategy.minimum_invocations == 9


def test_an_asynchronous_version_is_tested_at_once_and_served_through_a_queue(harbour: Harbour) -> None:
    document = policy_document()
    document["staging"] = {"target": "real-time"}
    document["production"] |= {
        "target": "async",
        "asynchronous": {"output": "s3://team/answers"},
        "strategy": {"bake": "10m"},
    }
    harbour.apply(document)
    harbour.promote(1)
    harbour.promote(2)
    state = harbour.world.production.look(ENDPOINT)
    assert state is not None
    assert (harbour.release(2).status, state.target) == (Status.PROMOTED, "async")
    assert harbour.world.production.deployments[ENDPOINT] is not None


def on_demand(**production: Any) -> dict[str, Any]:
    document = policy_document()
    del document["production"]["instance_type"]
    document["production"] |= {"target": "serverless", "serverless": SIZE, **production}
    return document


@pytest.fixture
def harbour() -> Harbour:
    harbour = Harbour()
    harbour.apply(on_demand(alarms=[ALARM, {"errors_5xx": 5}]))
    return harbour


def test_a_serverless_endpoint_is_updated_at_once_without_guards(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.promote(2)
    assert harbour.release(2).status is Status.PROMOTED
    assert harbour.world.production.deployments == {ENDPOINT: None}
    state = harbour.world.production.look(ENDPOINT)
    assert state is not None
    assert state.target == "serverless"
    assert harbour.release(2).endpoints["staging"]["instance_type"] == "serverless"


def test_an_alarm_in_the_bake_brings_a_serverless_champion_back(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.register(2)
    harbour.approve()
    harbour.world.production.change_alarm(ALARM, "ALARM")
    harbour.tell(alarm_event(harbour.world.production.alarm_arn(ALARM)))
    harbour.settle()
    assert harbour.release(2).status is Status.ROLLED_BACK
    assert harbour.serving() == "lockkeeper-wages-v1-a1-production"


@pytest.mark.parametrize(("first", "second"), [(policy_document(), on_demand()), (on_demand(), policy_document())])
def test_an_endpoint_of_another_kind_is_left_as_it_is(first: dict[str, Any], second: dict[str, Any]) -> None:
    harbour = Harbour()
    harbour.apply(first)
    harbour.promote(1)
    harbour.apply(second)
    harbour.register(2)
    assert harbour.release(2).status is Status.FAILED
    assert "preflight: endpoint: wages cannot be updated in place: it is " in harbour.release(2).reason
    assert harbour.serving() == "lockkeeper-wages-v1-a1-production"


@pytest.mark.parametrize(("first", "second"), [(policy_document(), on_demand()), (on_demand(), policy_document())])
def test_an_endpoint_that_became_of_another_kind_meanwhile_is_left_as_it_is(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    harbour = Harbour()
    harbour.apply(first)
    harbour.promote(1)
    harbour.apply(second)
    kind = {"ServerlessConfig": {}} if "serverless" in second["production"] else {"InstanceType": "ml.m5.large"}
    seen = foreign(ENDPOINT, ProductionVariants=[{"VariantName": "AllTraffic", "ModelName": "m", **kind}])
    harbour.world.production_look.foreign["lockkeeper-wages-v1-a1-production"] = seen
    harbour.world.production_look.keys[KEY] = "Enabled"
    harbour.register(2)
    harbour.approve()
    assert harbour.release(2).status is Status.FAILED
    assert "there would be no way back; nothing was changed" in harbour.release(2).reason
    assert "endpoint_name of its own" in harbour.release(2).reason
    assert harbour.serving() == "lockkeeper-wages-v1-a1-production"
    assert "lockkeeper-wages-v2-a1-production" not in harbour.world.production.configs


def test_containers_in_series_are_not_brought_onto_serverless(harbour: Harbour) -> None:
    harbour.register(1, told=False)
    containers = harbour.world.registry.packages[package_arn(1)]["InferenceSpecification"]["Containers"]
    containers.append({"Image": IMAGE, "ImageDigest": IMAGE_DIGEST, "ModelDataUrl": containers[0]["ModelDataUrl"]})
    harbour.tell_registry(1)
    harbour.settle()
    assert harbour.release(1).status is Status.FAILED
    assert "2 containers in series, and serverless endpoints serve one" in harbour.release(1).reason
    assert harbour.world.staging.models == {}
