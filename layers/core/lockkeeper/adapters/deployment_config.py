"""UpdateEndpoint's DeploymentConfig: how traffic moves, and the alarms that take it back."""

from __future__ import annotations

from typing import Any

from lockkeeper.domain.rollout import Deployment
from lockkeeper.domain.strategy import Canary, Rolling, Shift


def deployment_config(deployment: Deployment) -> dict[str, Any] | None:
    """What UpdateEndpoint is told; None where it moves all traffic at once and nobody watches, as it does by itself."""
    shift = deployment.strategy.shift
    if shift is None and not deployment.alarms:
        return None
    config: dict[str, Any] = {
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in deployment.alarms]}
    }
    timeout = {"MaximumExecutionTimeoutInSeconds": deployment.strategy.timeout} if deployment.strategy.timeout else {}
    if isinstance(shift, Rolling):
        batches = {"MaximumBatchSize": _share(shift), "WaitIntervalInSeconds": shift.wait}
        return {**config, "RollingUpdatePolicy": {**batches, **timeout}}
    # The old fleet is not kept for the bake: SageMaker would keep it for an hour at most, and at its full price.
    policy = {"TrafficRoutingConfiguration": _routing(shift), "TerminationWaitInSeconds": 0, **timeout}
    return {**config, "BlueGreenUpdatePolicy": policy}


def _routing(shift: Shift | None) -> dict[str, Any]:
    if shift is None:
        return {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    kind, size = ("CANARY", "CanarySize") if isinstance(shift, Canary) else ("LINEAR", "LinearStepSize")
    return {"Type": kind, "WaitIntervalInSeconds": shift.wait, size: _share(shift)}


def _share(shift: Shift) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": shift.percent}
