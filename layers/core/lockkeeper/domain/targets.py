"""Where a version is hosted, and what cannot be had there: refused when the policy is read, not when SageMaker is asked.

Source: "Feature exclusions" of Serverless Inference and "Deployment guardrails", SageMaker developer guide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from lockkeeper.domain.alarms import NOT_OF_A_QUEUE, OF_A_QUEUE, OF_QUEUED_REQUESTS, SAGEMAKER
from lockkeeper.domain.batch import BATCH, problems_of_batch
from lockkeeper.domain.errors import ModelUnsupported
from lockkeeper.domain.section import S3Uri, Section

if TYPE_CHECKING:
    from lockkeeper.domain.policy import Policy, Production

REAL_TIME, SERVERLESS, ASYNC = "real-time", "serverless", "async"
NO_INSTANCES = ("instance_type", "initial_instances", "hourly_usd", "autoscaling")
"""Keys of production that are about instances."""

NO_SHADOW = ("ml.inf1.",)
"""Instance types that SageMaker has no shadow variants on."""

NO_NETWORK = ("capture", "vpc", "network_isolation")
"""Keys of production that serverless endpoints have not."""


def _asked_at_once(given: object) -> object:
    if given == "async":
        raise ValueError(
            "target async: contract, replay, latency, load and safety ask for answers that come at once; "
            "set staging.target to real-time, whose container is asked the same"
        )
    if given == BATCH:
        raise ValueError(
            "target batch: the tests of staging ask an endpoint, and the job that compares does too; "
            "leave staging.target out, or set it to real-time or serverless, where the container is the same"
        )
    return given


Target = Literal["real-time", "serverless", "async", "batch"]
StagingTarget = Annotated[Literal["real-time", "serverless"], BeforeValidator(_asked_at_once)]
TopicArn = Annotated[str, StringConstraints(pattern=r"^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w.-]+$")]


class Asynchronous(Section):
    """Where the answers of an asynchronous endpoint go, and how many requests an instance takes at once."""

    output: S3Uri
    failures: S3Uri | None = None
    max_concurrent_per_instance: Annotated[int, Field(ge=1, le=1000)] | None = None
    success_topic: TopicArn | None = None
    error_topic: TopicArn | None = None


class Serverless(Section):
    """Memory and concurrency of a serverless endpoint."""

    memory_mb: Literal[1024, 2048, 3072, 4096, 5120, 6144]
    max_concurrency: Annotated[int, Field(ge=1, le=200)]
    provisioned_concurrency: Annotated[int, Field(ge=1, le=200)] | None = None

    @model_validator(mode="after")
    def _provisioned_is_a_part(self) -> Serverless:
        if self.provisioned_concurrency is not None and self.provisioned_concurrency > self.max_concurrency:
            raise ValueError(
                f"provisioned_concurrency is {self.provisioned_concurrency} and max_concurrency {self.max_concurrency}; "
                "set it to that or less"
            )
        return self

    @property
    def in_words(self) -> str:
        kept = f", {self.provisioned_concurrency} of them provisioned" if self.provisioned_concurrency else ""
        return f"serverless with {self.memory_mb} MB, {self.max_concurrency} requests at once{kept}"


class StagingServerless(Serverless):
    """The same of the staging endpoint."""


@dataclass(frozen=True)
class Queued:
    """A request in a queue: the `s3://` address that its answer will have, and that of its failure (empty: it would not be told)."""

    answer: str
    failure: str = ""


@dataclass(frozen=True)
class Fleet:
    """What an endpoint configuration's variant runs on: instances of a type, or (`serverless`) none that anybody sees."""

    instance_type: str = ""
    instances: int = 0
    serverless: Serverless | None = None
    asynchronous: Asynchronous | None = None

    @property
    def in_words(self) -> str:
        return self.serverless.in_words if self.serverless else f"{self.instances} x {self.instance_type}"

    @property
    def target(self) -> str:
        if self.serverless:
            return SERVERLESS
        return ASYNC if self.asynchronous else REAL_TIME


def check_production(production: Production) -> None:
    """`ValueError` with the first thing that the target cannot do, and its cure."""
    for problem in _problems(production):
        raise ValueError(problem)


def _problems(production: Production) -> Iterator[str]:
    if production.target == BATCH:
        yield from problems_of_batch(production)
        return
    yield from _problems_of_the_shadow(production)
    if production.target != SERVERLESS:
        if production.serverless:
            yield f"serverless with target {production.target}; remove it, or set target to serverless"
        yield from _problems_of_the_queue(production)
        return
    if production.asynchronous:
        yield "asynchronous with target serverless; remove it, or set target to async"
    for name in NO_NETWORK:
        if getattr(production, name):
            yield f"{name} with target serverless, which cannot have it; remove it"
    if production.serverless is None:
        yield "target serverless without its size; add serverless: {memory_mb: 2048, max_concurrency: 20}"
    for name in NO_INSTANCES:
        if name in production.model_fields_set:
            yield f"{name} with target serverless, which has no instances; remove it"
    if "monthly_budget_usd" in production.model_fields_set:
        yield (
            "monthly_budget_usd with target serverless, whose cost depends on what is asked; remove it, and watch "
            "the bill with AWS Budgets"
        )
    if shift := production.strategy.shift:
        yield (
            f"{shift.kind} with target serverless: SageMaker moves the traffic of serverless endpoints all at once; "
            f"remove {shift.kind}"
        )


def _problems_of_the_shadow(production: Production) -> Iterator[str]:
    if production.strategy.shadow is None:
        return
    if production.target != REAL_TIME:
        yield f"shadow with target {production.target}: SageMaker has shadow variants on real-time endpoints alone; remove shadow"
    if (production.instance_type or "").startswith(NO_SHADOW):
        yield (
            f"shadow on {production.instance_type}: SageMaker has no shadow variants there; "
            "choose another instance_type, or remove shadow"
        )
    if production.autoscaling:
        yield (
            "shadow with autoscaling: the shadow is not scaled, so a copy of what many instances answer would meet few; "
            "remove one of both"
        )


def _problems_of_the_queue(production: Production) -> Iterator[str]:
    if production.target != ASYNC:
        for made in production.made_alarms:
            if made.namespace == SAGEMAKER and made.metric in OF_A_QUEUE | OF_QUEUED_REQUESTS:
                yield (
                    f"an alarm on {made.metric} with target {production.target}: SageMaker publishes it of asynchronous "
                    "endpoints alone; remove it"
                )
        if production.asynchronous:
            yield f"asynchronous with target {production.target}; remove it, or set target to async"
        return
    if production.asynchronous is None:
        yield "target async without a place for its answers; add asynchronous: {output: s3://...}"
    if production.autoscaling:
        yield (
            "autoscaling with target async: invocations_per_instance does not see the queue; remove it, and scale the "
            "endpoint on ApproximateBacklogSizePerInstance by hand"
        )
    for made in production.made_alarms:
        if made.namespace == SAGEMAKER and made.metric in NOT_OF_A_QUEUE:
            yield f"an alarm on {made.metric} with target async, of which SageMaker does not publish it; remove it"


def check_staging(policy: Policy) -> None:
    """`ValueError` where staging, with what it has of production, is hosted in no possible way."""
    staging, target = policy.staging, policy.staging_target
    if target == SERVERLESS:
        given = sorted({"instance_type", "initial_instances"} & staging.model_fields_set)
        if given:
            raise ValueError(f"staging.{given[0]} with target serverless, which has no instances; remove it")
        if policy.staging_fleet.serverless is None:
            raise ValueError("staging on target serverless without its size; add staging.serverless")
    elif target == ASYNC:
        _asked_at_once(target)
    elif staging.serverless:
        raise ValueError(f"staging.serverless with target {target}; remove it, or set staging.target to serverless")
    elif not policy.staging_fleet.instance_type and policy.production.target in (SERVERLESS, BATCH):
        raise ValueError("staging on target real-time without instances; add staging.instance_type")


def check_containers(policy: Policy, containers: int) -> None:
    """`ModelUnsupported` where a version's containers cannot be hosted as the policy says."""
    if containers > 1 and policy.production.strategy.shadow:
        raise ModelUnsupported(
            f"the version has {containers} containers in series, and SageMaker has no shadow variants of those",
            cure="put them into one container, or leave shadow out of the policy's strategy",
        )
    if containers > 1 and SERVERLESS in (policy.production.target, policy.staging_target):
        raise ModelUnsupported(
            f"the version has {containers} containers in series, and serverless endpoints serve one",
            cure="put them into one container, or host the version with target real-time, in staging as in production",
        )
