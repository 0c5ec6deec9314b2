"""Production that drifts in a harbour: who says so, and what the pipeline makes of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from lockkeeper.adapters.in_memory.world import HUB, PRODUCTION
from lockkeeper.domain.drift import AlarmSeen, JobSeen
from lockkeeper.domain.events import Unusable
from lockkeeper.domain.retraining import Kept, Retraining
from lockkeeper.ports_of_retraining import Step
from lockkeeper.use_cases.follow_retraining import follow_execution
from lockkeeper.use_cases.keep_house import QUIET, Kind, keep_house
from lockkeeper.use_cases.pinned import iso
from lockkeeper.use_cases.react_to_drift import react_to_drift

from tests.unit.harbour import ENDPOINT, GROUP, Harbour, package_arn, policy_document

PIPELINE = "wages-train"
ALARM = "wages-drift"
ENDS = {
    "Release Promoted",
    "Release Rejected",
    "Release Failed",
    "Release Superseded",
    "Release Expired",
    "Release Rolled Back",
}
RETRAIN: dict[str, Any] = {
    "pipeline": PIPELINE,
    "parameters": {
        "DataFrom": "{window_from}",
        "DataTo": "{window_to}",
        "Reason": "{reason}",
        "Champion": "{champion}",
    },
    "cooldown": "1h",
    "at_most": {"count": 50, "per": "7d"},
    "give_up_after": 2,
}
SIGNALS = ["alarm", "model-monitor", "lockkeeper-monitor", "event"]


def drift_policy(**retrain: Any) -> dict[str, Any]:
    """The harbour's policy, which listens to everybody and trains anew; without people, so that releases end by themselves."""
    drift = {"signals": SIGNALS, "alarms": [ALARM], "retrain": {**RETRAIN, **retrain}}
    return {**policy_document(), "approval": {"before": []}, "drift": drift}


class Drifting:
    """A harbour whose version 1 serves, and what happens around it."""

    def __init__(self, harbour: Harbour | None = None, **retrain: Any) -> None:
        self.harbour = harbour or Harbour()
        self.world = self.harbour.world
        self.world.pipelines.existing = {PIPELINE}
        self.harbour.apply(drift_policy(**retrain))
        self.release(1)
        self.pass_time(minutes=30)

    def release(self, version: int, **facts: Any) -> None:
        self.harbour.register(version, **facts)
        self.harbour.traffic()
        self.harbour.pass_time(minutes=11)
        self.bring_ends()

    def pass_time(self, **units: float) -> None:
        self.world.clock.advance(timedelta(**units))

    def now(self) -> str:
        return iso(self.world.clock.now())

    def event(self, **detail: Any) -> dict[str, Any]:
        """A `Drift Detected` of somebody's."""
        said = {
            "model_package_group": GROUP,
            "drifted": [{"name": "exp", "measured": 0.136, "threshold": 0.1}],
            "rows": 600,
        }
        return {
            "source": "lockkeeper.drift",
            "detail-type": "Drift Detected",
            "account": HUB,
            "time": self.now(),
            "detail": {**said, "id": f"at {self.now()}", **detail},
        }

    def tell(self, event: dict[str, Any]) -> list[Kept] | Any:
        return react_to_drift(event, self.harbour.inside)

    def drift(self, **detail: Any) -> Kept:
        """Somebody says that it drifts; the answer."""
        (kept,) = self.tell(self.event(**detail))
        return kept  # type: ignore[no-any-return]

    def ignored(self, event: dict[str, Any]) -> str:
        said = self.tell(event)
        assert isinstance(said, Unusable), said
        return said.reason

    def alarm(self, name: str = ALARM, **facts: Any) -> dict[str, Any]:
        """An alarm of production goes off; its event."""
        arn = f"arn:aws:cloudwatch:eu-central-1:{PRODUCTION}:alarm:{name}"
        seen = {"state": "ALARM", "since": self.now(), "metric": "ExpDrift", "threshold": 0.1, **facts}
        self.world.production_look.drift_alarms[name] = AlarmSeen(name, arn, **seen)
        self.world.production.change_alarm(name, seen["state"])
        return {
            "source": "aws.cloudwatch",
            "detail-type": "CloudWatch Alarm State Change",
            "account": PRODUCTION,
            "resources": [arn],
            "detail": {"alarmName": name, "state": {"value": "ALARM"}},
        }

    def monitor(
        self,
        violations: Any = None,
        *,
        name: str = "lockkeeper-monitor-wages-1",
        message: str = "CompletedWithViolations: 1 violation",
        environment: dict[str, str] | None = None,
        folder: str = "",
        bucket: str = "lockkeeper-bucket",
        **facts: Any,
    ) -> dict[str, Any]:
        """Lockkeeper's monitor ends; its event."""
        output = f"s3://{bucket}/monitoring/{GROUP}/{name}"
        if violations is not None:
            body = violations if isinstance(violations, bytes) else json.dumps({"violations": violations}).encode()
            self.world.objects.stored[f"{output}/{folder}constraint_violations.json"] = body
            self.world.objects.stored[f"{output}/{folder}statistics.json"] = b'{"dataset": {"item_count": 612}}'
        arn = f"arn:aws:sagemaker:eu-central-1:{PRODUCTION}:processing-job/{name.lower()}"
        said = {
            "LOCKKEEPER_GROUP": GROUP,
            "LOCKKEEPER_RELEASE": f"{GROUP}-v1-a1",
            "LOCKKEEPER_ENDPOINT": ENDPOINT,
            "LOCKKEEPER_WINDOW_FROM": iso(self.world.clock.now() - timedelta(minutes=20)),
            "LOCKKEEPER_WINDOW_TO": self.now(),
        }
        kept = {
            "status": "Completed",
            "exit_message": message,
            "environment": said if environment is None else environment,
            "outputs": (output,),
            "ended_at": self.now(),
            **facts,
        }
        self.world.production_look.monitor_jobs[name] = JobSeen(name, arn, **kept)
        return job_event(arn, name)

    def running(self) -> Retraining:
        """The retraining that is open."""
        current = self.world.ledger.retraining(GROUP, self.world.ledger.retraining_head(GROUP).open)
        assert current is not None
        return current

    def newest(self) -> Retraining:
        return self.world.ledger.retrainings(GROUP, 1)[0]

    def fail(self, reason: str = "AlgorithmError: no rows") -> None:
        """The pipeline fails at its first step."""
        arn = self.running().execution_arn
        self.world.pipelines.step(arn, Step("Train", "Failed", reason))
        self.world.pipelines.end(arn, "Failed", "Step failure: One or multiple steps failed.")
        follow_execution(arn, self.harbour.inside)

    def succeed(self, version: int, **facts: Any) -> None:
        """The pipeline registers a version and ends, and the version goes its way."""
        arn = self.running().execution_arn
        self.world.pipelines.step(arn, Step("Train", "Succeeded"))
        self.world.pipelines.step(arn, Step("Register", "Succeeded", package_arn=package_arn(version)))
        self.release(version, **facts)
        self.world.pipelines.end(arn)
        follow_execution(arn, self.harbour.inside)

    def bring_ends(self) -> None:
        """The bus brings the ends of releases."""
        for kind, detail in list(self.world.publisher.published):
            if kind in ENDS:
                react_to_drift(
                    {"source": "lockkeeper", "detail-type": kind, "account": HUB, "detail": detail}, self.harbour.inside
                )

    def started(self) -> int:
        return len(self.world.pipelines.started)


def pipeline_event(arn: str, status: str = "Failed") -> dict[str, Any]:
    """The pipeline's account tells that an execution has come so far."""
    return {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Model Building Pipeline Execution Status Change",
        "account": HUB,
        "detail": {
            "pipelineArn": arn.partition("/execution/")[0],
            "pipelineExecutionArn": arn,
            "currentPipelineExecutionStatus": status,
        },
    }


def job_event(arn: str, name: str, status: str = "Completed") -> dict[str, Any]:
    return {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Processing Job State Change",
        "account": PRODUCTION,
        "detail": {"ProcessingJobArn": arn, "ProcessingJobName": name, "ProcessingJobStatus": status},
    }


@pytest.fixture
def drifting() -> Drifting:
    return Drifting()


def look(drifting: Drifting, minutes: int = 5) -> list[str]:
    drifting.pass_time(minutes=minutes)
    found = keep_house(QUIET, drifting.harbour.inside)
    assert not [one for one in found if one.kind is Kind.PROBLEM], found
    return [one.what for one in found if one.kind is Kind.RETRAINING]
