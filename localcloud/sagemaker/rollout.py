"""How an update's traffic moves from the old fleet to the new one: DeploymentConfig as a list of stages."""

from dataclasses import dataclass

from localcloud.sagemaker.cloud import JsonObject
from localcloud.sagemaker.errors import invalid

LARGEST_CANARY = 50
STEP_LIMITS = {"LINEAR": (10, 50), "ROLLING": (5, 50)}


@dataclass(frozen=True)
class Stage:
    """A share of the traffic (0 to 1) that the new fleet gets, and the AWS seconds it is watched for."""

    share: float
    wait_seconds: float


def stages(deployment: JsonObject | None, instances: int = 1) -> list[Stage]:
    """The stages of a DeploymentConfig that `check` has accepted; the last one has all the traffic.

    `instances` is the size of the variant, which sizes in INSTANCE_COUNT are a share of.
    """
    if deployment is None:
        return [Stage(1.0, 0.0)]
    rolling = deployment.get("RollingUpdatePolicy")
    if rolling:
        return _steps(_percent(rolling["MaximumBatchSize"], instances), rolling["WaitIntervalInSeconds"], 0.0)
    policy = deployment.get("BlueGreenUpdatePolicy", {})
    bake = float(policy.get("TerminationWaitInSeconds", 0))
    routing = policy.get("TrafficRoutingConfiguration", {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0})
    wait = float(routing.get("WaitIntervalInSeconds", 0))
    if routing["Type"] == "CANARY":
        return [Stage(_percent(routing["CanarySize"], instances) / 100, wait), Stage(1.0, bake)]
    if routing["Type"] == "LINEAR":
        return _steps(_percent(routing["LinearStepSize"], instances), wait, bake)
    return [Stage(1.0, bake)]


def _steps(percent: float, wait: float, bake: float) -> list[Stage]:
    shares = [percent * number for number in range(1, 100) if percent * number < 100]
    return [*(Stage(share / 100, wait) for share in shares), Stage(1.0, bake)]


def _percent(size: JsonObject, instances: int) -> float:
    value = float(size["Value"])
    return value if size["Type"] == "CAPACITY_PERCENT" else 100 * value / max(instances, 1)


def alarm_names(deployment: JsonObject | None) -> list[str]:
    """The alarms whose ALARM rolls the deployment back."""
    rollback = (deployment or {}).get("AutoRollbackConfiguration", {})
    return [alarm["AlarmName"] for alarm in rollback.get("Alarms", [])]


def check(deployment: JsonObject, instances: int) -> None:
    """Raise ApiError for what UpdateEndpoint refuses beyond the shapes of its parameters."""
    if bool(deployment.get("BlueGreenUpdatePolicy")) and bool(deployment.get("RollingUpdatePolicy")):
        raise invalid("A DeploymentConfig has either a BlueGreenUpdatePolicy or a RollingUpdatePolicy.")
    rolling = deployment.get("RollingUpdatePolicy")
    if rolling:
        _check_size("MaximumBatchSize", rolling["MaximumBatchSize"], *STEP_LIMITS["ROLLING"], instances)
        timeout = rolling.get("MaximumExecutionTimeoutInSeconds")
    else:
        policy = deployment.get("BlueGreenUpdatePolicy", {})
        _check_routing(policy.get("TrafficRoutingConfiguration"), instances)
        timeout = policy.get("MaximumExecutionTimeoutInSeconds")
    waits = sum(stage.wait_seconds for stage in stages(deployment, instances))
    if timeout is not None and timeout <= waits:
        raise invalid(
            f"MaximumExecutionTimeoutInSeconds ({timeout}) must exceed the waits of the deployment ({waits:g})."
        )


def _check_routing(routing: JsonObject | None, instances: int) -> None:
    if routing is None or routing["Type"] == "ALL_AT_ONCE":
        return
    member = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}[routing["Type"]]
    if member not in routing:
        raise invalid(f"{member} is required when the traffic routing type is {routing['Type']}.")
    least, most = STEP_LIMITS.get(routing["Type"], (1, LARGEST_CANARY))
    _check_size(member, routing[member], least, most, instances)


def _check_size(name: str, size: JsonObject, least: int, most: int, instances: int) -> None:
    if instances < 2:
        raise invalid(f"{name} needs a variant of at least 2 instances; this one has {instances}.")
    if not least <= _percent(size, instances) <= most:
        raise invalid(f"{name} must be between {least} and {most} percent of the variant's capacity.")
