"""A small team's world for journeys: they register versions, decide, send traffic; the clouds move when they are let."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from datetime import timedelta
from functools import cache
from typing import Any

import yaml
from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.adapters.in_memory.world import HUB
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.release import Release
from lockkeeper.ports import World
from lockkeeper.use_cases.decide_approval import decide_by_link
from lockkeeper.use_cases.react_to_registry import react_to_registry
from lockkeeper.use_cases.reap_release import reap_release
from lockkeeper.use_cases.resume_release import resume_release

from tests.unit.machine import Machine

GROUP = "wages"
REGION = "eu-central-1"
ENDPOINT = "wages"
ALARM = "wages-errors"
IMAGE = "683313688378.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-scikit-learn:1.4-2"
IMAGE_DIGEST = f"sha256:{'c' * 64}"
HOLDOUT = "label,a,b\n" + "".join(f"{row % 2},{row},{row % 2}\n" for row in range(40))


def policy_document() -> dict[str, Any]:
    """A policy that asks Ada or Grace before staging and watches one alarm for ten minutes."""
    return {
        "model_package_group": GROUP,
        "gates": {
            "quality": [
                {"metric": "binary_classification_metrics.accuracy.value", "at_least": 0.7},
                {"metric": "binary_classification_metrics.accuracy.value", "no_worse_than_champion_by": 0.01},
            ]
        },
        "approval": {
            "before": ["staging"],
            "approvers": [
                {"name": "Ada", "email": "ada@example.com", "aws_principal": "arn:aws:iam::111111111111:role/Ada"},
                {"name": "Grace", "email": "grace@example.com"},
            ],
            "author_from": "metadata.author",
            "expires_after": "72h",
        },
        "production": {
            "endpoint_name": ENDPOINT,
            "instance_type": "ml.m5.large",
            "strategy": {"bake": "10m", "minimum_invocations": 5},
            "alarms": [ALARM],
        },
    }


@cache
def archive(content: bytes = b"weights", name: str = "model.joblib") -> bytes:
    """A model.tar.gz with one file."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)


def quality_report(accuracy: Any) -> bytes:
    return json.dumps({"binary_classification_metrics": {"accuracy": {"value": accuracy}}}).encode()


def package_arn(version: int) -> str:
    return f"arn:aws:sagemaker:{REGION}:{HUB}:model-package/{GROUP}/{version}"


def release_id(version: int) -> str:
    return f"{GROUP}-v{version}-a1"


@cache
def _as_yaml(document: str) -> str:
    """A JSON text as YAML. Thousands of harbours have the same policy."""
    return yaml.safe_dump(json.loads(document))


class Harbour:
    """`inside` is the world that Lockkeeper's code is given; tests of crashes wrap it."""

    def __init__(self, inside: World | None = None, world: InMemoryWorld | None = None) -> None:
        self.world = world or InMemoryWorld()
        self.inside: World = inside or self.world
        self.machine = Machine(self.world, self.inside)
        self.told: list[dict[str, Any]] = []
        self.world.production.change_alarm(ALARM, "OK")
        self.apply(policy_document())

    def apply(self, document: dict[str, Any]) -> None:
        """Somebody applies a policy."""
        self.world.policies.save(GROUP, _as_yaml(json.dumps(document)), "arn:aws:iam::111111111111:user/test")

    def register(
        self,
        version: int,
        *,
        accuracy: Any = 0.8,
        author: str = "lin",
        artifact: bytes | None = None,
        report: bytes | None = None,
        told: bool = True,
    ) -> None:
        """A data scientist registers a version; the registry tells, unless its event is lost."""
        folder = f"s3://models/{GROUP}/{version}"
        self.world.objects.stored[f"{folder}/model.tar.gz"] = artifact or archive(f"weights of {version}".encode())
        self.world.objects.stored[f"{folder}/quality.json"] = report or quality_report(accuracy)
        self.world.registry.packages[package_arn(version)] = {
            "ModelPackageArn": package_arn(version),
            "ModelPackageStatus": "Completed",
            "ModelApprovalStatus": "PendingManualApproval",
            "CreationTime": self.world.clock.now(),
            "CustomerMetadataProperties": {"author": author},
            "InferenceSpecification": {
                "Containers": [{"Image": IMAGE, "ImageDigest": IMAGE_DIGEST, "ModelDataUrl": f"{folder}/model.tar.gz"}],
                "SupportedContentTypes": ["text/csv"],
            },
            "ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": f"{folder}/quality.json"}}},
        }
        if told:
            self.tell_registry(version)
        self.settle()

    def tell_registry(self, version: int) -> Any:
        return react_to_registry(package_event(version), self.inside)

    def tell(self, event: dict[str, Any]) -> list[str]:
        self.told.append(event)
        return resume_release(event, self.inside)

    def tell_of_endpoint(self, arn: str) -> None:
        """Two functions listen to endpoints."""
        self.tell(endpoint_event(arn))
        reap_release(endpoint_event(arn), self.inside)

    def reap(self, version: int) -> list[str]:
        """Step Functions tells that the execution of a version has ended badly."""
        return reap_release(execution_event(release_id(version)), self.inside)

    def settle(self) -> None:
        """Let executions, endpoints and events go on until nothing moves by itself."""
        for _ in range(200):
            moved = self.machine.run()
            for endpoints in (self.world.staging, self.world.production):
                for name in list(endpoints.endpoints):
                    if endpoints.advance(name):
                        moved = True
                        self.tell_of_endpoint(endpoints.arn_of(name))
            if not moved and not any(one.tries and not one.token for one in self.machine.executions.values()):
                return
        raise AssertionError("it never came to rest")

    def pass_time(self, **units: float) -> None:
        """Time passes; what is due fires."""
        self.world.clock.advance(timedelta(**units))
        for payload in self.world.schedules.due(self.world.clock.now()):
            self.tell(payload)
        self.settle()

    def link(self, approver: str = "Ada") -> str:
        """The name in the newest personal link that a person was sent."""
        letter = [one for one in self.world.mail.letters if one.approver == approver][-1]
        return letter.text.split("/approvals/")[1].split()[0]

    def decide(self, answer: Answer, approver: str = "Ada", comment: str = "") -> None:
        decide_by_link(self.link(approver), answer, comment, self.inside)
        self.settle()

    def approve(self, approver: str = "Ada") -> None:
        self.decide(Answer.APPROVE, approver)

    def traffic(self, requests: int = 10) -> None:
        for _ in range(requests):
            self.world.production.invoke(ENDPOINT, "1,2", "text/csv", "text/csv")

    def promote(self, version: int, **facts: Any) -> None:
        """A whole undisturbed journey."""
        self.register(version, **facts)
        self.approve()
        self.traffic()
        self.pass_time(minutes=11)

    def release(self, version: int) -> Release:
        return self.world.ledger.get(release_id(version))

    def serving(self) -> str | None:
        """The configuration that production serves."""
        state = self.world.production.look(ENDPOINT)
        return state.config_name if state else None

    def published(self, detail_type: str) -> list[dict[str, Any]]:
        return [detail for kind, detail in self.world.publisher.published if kind == detail_type]


def package_event(version: int) -> dict[str, Any]:
    return {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Model Package State Change",
        "account": HUB,
        "region": REGION,
        "detail": {"ModelPackageArn": package_arn(version), "ModelPackageStatus": "Completed"},
    }


def endpoint_event(arn: str) -> dict[str, Any]:
    return {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Endpoint State Change",
        "account": arn.split(":")[4],
        "detail": {"EndpointArn": arn, "EndpointStatus": "IN_SERVICE"},
    }


def execution_event(name: str) -> dict[str, Any]:
    return {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "account": HUB,
        "detail": {"name": name, "status": "ABORTED"},
    }


def alarm_event(arn: str, state: str = "ALARM") -> dict[str, Any]:
    return {
        "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change",
        "account": arn.split(":")[4],
        "resources": [arn],
        "detail": {"state": {"value": state}},
    }
