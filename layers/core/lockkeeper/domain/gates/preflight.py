"""Can production take the version at all: looked at before anybody is asked to approve it. Nothing here is about the model.

What can be seen and is wrong fails; what ought to be seen and cannot is inconclusive. Quotas are the exception: an account whose
Service Quotas does not answer is told of, and not kept from releasing, since SageMaker itself refuses before anything is changed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from lockkeeper.domain.batch import BATCH
from lockkeeper.domain.deployed import Deployed, kind_problems, model_problems
from lockkeeper.domain.gates.verdicts import decided, inconclusive
from lockkeeper.domain.hosting import Hosting
from lockkeeper.domain.policy import Policy, Production
from lockkeeper.domain.release import Outcome, Pins, Verdict
from lockkeeper.domain.strategy import Rolling
from lockkeeper.domain.targets import NO_SHADOW

PREFLIGHT = "preflight:"
"""What every gate of this family is called."""
HOSTING_SERVICE = "sagemaker.amazonaws.com"
UPDATABLE = "nothing, or a real-time endpoint of one variant that is nobody else's"
ECR_IMAGE = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com[a-z.]*/(?P<name>[^:@]+)")
CAPTURED_FILE = "endpoint/variant/file.jsonl"
"""Stands for the files that SageMaker writes below the folder of a capture."""
KEPT_REQUEST = "request"
"""Stands for the requests that are kept below their folder."""
NO_GUARD = ("ml.inf1.",)
"""Instance types whose updates SageMaker makes all at once, without bake or alarms, whatever it is told."""


@dataclass(frozen=True)
class Preflight:
    """What was seen of the production account; None stands for what AWS did not say, or did not let be seen.

    Args:
        deployed: What serves under the policy's name; None for nothing.
        alarms: State of each alarm that the policy names; `missing` where there is none.
        role_arn: The role that the model is to run under.
        role_trust: Its trust policy as text, empty where there is no such role.
        permitted: Whether the role may do what serving asks of it, by action and resource (`needs_of`, `looks_at`).
        key_state: `Enabled`, or what else KMS says of the policy's key, empty where there is no such key.
        champion_role: The role that the champion's model runs under.
        champion_captures: Whether that one may write what a shadow is compared by.
        quotas: Quotas of SageMaker by their names.
        adopted: Whether a release or an adoption has made what serves the group's champion.
        staging_here: Whether staging is the same account.
    """

    deployed: Deployed | None = None
    alarms: dict[str, str] = field(default_factory=dict)
    role_arn: str = ""
    role_trust: str | None = None
    permitted: dict[tuple[str, str], bool | None] = field(default_factory=dict)
    key_state: str | None = None
    champion_role: str = ""
    champion_captures: bool | None = None
    quotas: dict[str, float] | None = None
    adopted: bool = False
    staging_here: bool = True


def judge_preflight(policy: Policy, hosting: Hosting, seen: Preflight) -> tuple[Verdict, ...]:
    """Every verdict of the family. `policy` has its instances (`Policy.hosted`)."""
    return (
        *_judge_endpoint(policy.production, hosting, seen),
        *_judge_strategy(policy.production, hosting),
        *_judge_shadow(policy.production, hosting, seen),
        *(_judge_alarm(name, state) for name, state in seen.alarms.items()),
        _judge_role(seen),
        *_judge_permissions(seen),
        *_judge_key(hosting, seen),
        *judge_quotas(fleets_of(policy, seen.deployed is not None, seen.staging_here), seen.quotas),
    )


def _judge_endpoint(production: Production, hosting: Hosting, seen: Preflight) -> tuple[Verdict, ...]:
    if production.target == BATCH:
        return ()  # There is none, and whatever the parameter says is replaced.
    gate, deployed = f"{PREFLIGHT} endpoint", seen.deployed
    if not (hosting.instance_type or production.serverless):
        why = f"production.instance_type is left out, and nothing serves as {production.endpoint_name} to take it from"
        return (Verdict(gate, Outcome.FAILED, f"{why}; add it to the policy", "no instance type", UPDATABLE),)
    if deployed is None:
        why = f"{production.endpoint_name} does not exist; it will be created"
        return (Verdict(gate, Outcome.PASSED, why, "nothing", UPDATABLE),)
    problems = [*kind_problems(deployed.config, production.target), *model_problems(deployed.model)]
    if problems:
        why = f"{deployed.name} cannot be updated in place: {'; '.join(problems)}; name another endpoint"
        return (Verdict(gate, Outcome.FAILED, why, deployed.config_name, UPDATABLE),)
    if deployed.stack and not seen.adopted:
        why = (
            f"{deployed.name} belongs to CloudFormation stack {deployed.stack}, whose next deployment would undo this; "
            "take it over with `lockkeeper adopt GROUP --take-over`, then `lockkeeper replay` the release"
        )
        return (Verdict(gate, Outcome.FAILED, why, f"stack {deployed.stack}", UPDATABLE),)
    kept = f"; kept: {hosting.words}" if hosting.words else ""
    why = f"{deployed.name} serves {deployed.config_name}{kept}"
    return (Verdict(gate, Outcome.PASSED, why, deployed.config_name, UPDATABLE),)


def _judge_strategy(production: Production, hosting: Hosting) -> tuple[Verdict, ...]:
    """A shift that SageMaker would silently leave out: everybody would have approved something else."""
    shift = production.strategy.shift
    if shift is None:
        return ()
    gate, required = f"{PREFLIGHT} strategy", shift.kind
    if hosting.instance_type.startswith(NO_GUARD):
        why = (
            f"SageMaker updates {hosting.instance_type} all at once, whatever it is told: there is no {shift.kind} on it; "
            "leave the shift out of the policy, or choose another instance type"
        )
        return (Verdict(gate, Outcome.FAILED, why, hosting.instance_type, required),)
    return (
        Verdict(
            gate,
            Outcome.PASSED,
            f"{hosting.instance_type} can be updated by a {shift.kind}",
            hosting.instance_type,
            required,
        ),
    )


def _judge_shadow(production: Production, hosting: Hosting, seen: Preflight) -> tuple[Verdict, ...]:
    """What SageMaker refuses beside a shadow, and a champion whose answers could not be captured: that fails in silence."""
    if production.strategy.shadow is None or seen.deployed is None:
        return ()
    gate, required = f"{PREFLIGHT} shadow", "a champion that can have one"
    containers = len(seen.deployed.model.get("Containers") or [{}])
    role = seen.champion_role.rpartition("/")[2]
    kinds = (hosting.instance_type, str(seen.deployed.variant.get("InstanceType")))
    if inferentia := [kind for kind in kinds if kind.startswith(NO_SHADOW)]:
        why, found = "SageMaker has no shadow variants on Inferentia 1", inferentia[0]
    elif containers > 1:
        why, found = f"what serves has {containers} containers in series, beside which there is no shadow", "containers"
    elif seen.champion_captures is False:
        why, found = (
            f"{role}, under which the champion runs, may not write what it answers to Lockkeeper's bucket",
            "denied",
        )
    elif seen.champion_captures is None:
        why = f"nobody can tell whether {role}, under which the champion runs, may write what it answers to Lockkeeper's bucket"
        return (
            inconclusive(gate, f"{why}; name it in FurtherModelRoles, or leave shadow out of the policy", required),
        )
    else:
        why = f"{seen.deployed.name} can have a shadow, and both can be captured"
        return (Verdict(gate, Outcome.PASSED, why, seen.deployed.config_name, required),)
    return (Verdict(gate, Outcome.FAILED, f"{why}; mend that, or leave shadow out of the policy", found, required),)


def _judge_alarm(name: str, state: str) -> Verdict:
    gate = f"{PREFLIGHT} alarm {name}"
    if state == "missing":
        return Verdict(gate, Outcome.FAILED, "there is no such alarm; create it or mend the policy", state, "OK")
    if state == "ALARM":
        why = "it is in ALARM: SageMaker takes no update under it; bring it to OK, then `lockkeeper replay` the release"
        return Verdict(gate, Outcome.FAILED, why, state, "OK")
    return Verdict(gate, Outcome.PASSED, f"it is {state}", state, "OK")


def _judge_role(seen: Preflight) -> Verdict:
    gate, name = f"{PREFLIGHT} role", seen.role_arn.rpartition("/")[2]
    if seen.role_trust is None:
        why = f"nobody can tell whether SageMaker may take {name}: Lockkeeper may not look at it, and so not pass it; "
        return inconclusive(gate, f"{why}name it in FurtherModelRoles when deploying", HOSTING_SERVICE)
    if not seen.role_trust:
        why = f"there is no role {name}; create it, or name another execution_role_arn"
        return Verdict(gate, Outcome.FAILED, why, "missing", HOSTING_SERVICE)
    if HOSTING_SERVICE not in seen.role_trust:
        why = f"{name} does not trust {HOSTING_SERVICE}; let its trust policy name that service"
        return Verdict(gate, Outcome.FAILED, why, "another trust", HOSTING_SERVICE)
    return Verdict(gate, Outcome.PASSED, f"{name} may be taken by SageMaker", HOSTING_SERVICE, HOSTING_SERVICE)


def needs_of(
    pins: Pins, hosting: Hosting, role_arn: str, shadows: str = "", requests: str = ""
) -> tuple[tuple[str, str], ...]:
    """What the role of the model needs: an action and the ARN of a resource each. Images outside of ECR need nothing of it.

    `shadows` is the `s3://` folder of what shadows are compared by, and `requests` the one of what an asynchronous endpoint is asked
    with after a rollback; each is empty where the policy has none.
    """
    partition = role_arn.split(":")[1]
    needs = [("s3:GetObject", _object_arn(pin.pinned, partition)) for pin in pins.artifacts]
    for image in pins.images:
        if registry := ECR_IMAGE.match(image):
            account, region, name = registry.group("account", "region", "name")
            needs.append(("ecr:BatchGetImage", f"arn:{partition}:ecr:{region}:{account}:repository/{name}"))
    if hosting.capture.get("EnableCapture"):
        folder = str(hosting.capture["DestinationS3Uri"]).rstrip("/")
        needs.append(writes_to(folder, partition))
    if shadows:
        needs.append(writes_to(shadows, partition))
    if requests:
        needs.append(("s3:GetObject", _object_arn(f"{requests}/{KEPT_REQUEST}", partition)))
    return tuple(dict.fromkeys(needs))


def writes_to(folder: str, partition: str) -> tuple[str, str]:
    """What a role needs that SageMaker is to write captures under, below an `s3://` folder."""
    return "s3:PutObject", _object_arn(f"{folder}/{CAPTURED_FILE}", partition)


def looks_at(alarm_arn: str) -> tuple[str, str]:
    """What a role needs under which SageMaker is to look at an alarm that takes an update back.

    Source: "Auto-Rollback Configuration and Monitoring", SageMaker developer guide.
    """
    return "cloudwatch:DescribeAlarms", alarm_arn


def _object_arn(uri: str, partition: str) -> str:
    return f"arn:{partition}:s3:::{uri.removeprefix('s3://')}"


def _judge_permissions(seen: Preflight) -> tuple[Verdict, ...]:
    """Only where the role itself is as it should be: what it may do is asked of it alone."""
    if not seen.permitted or not seen.role_trust or HOSTING_SERVICE not in seen.role_trust:
        return ()
    gate, name = f"{PREFLIGHT} permissions", seen.role_arn.rpartition("/")[2]
    required = ", ".join(dict.fromkeys(action for action, _ in seen.permitted))
    denied = [f"{action} on {resource}" for (action, resource), may in seen.permitted.items() if may is False]
    if denied:
        why = f"{name} may not {' and '.join(denied)}; add it to the role's own policies (a bucket's policy is not looked at)"
        return (Verdict(gate, Outcome.FAILED, why, "denied", required),)
    if None in seen.permitted.values():
        why = f"nobody can tell what {name} may do: IAM does not let Lockkeeper ask"
        return (inconclusive(gate, why, required),)
    return (Verdict(gate, Outcome.PASSED, f"{name} may do what serving the version takes", "allowed", required),)


def _judge_key(hosting: Hosting, seen: Preflight) -> tuple[Verdict, ...]:
    if not hosting.kms_key:
        return ()
    gate = f"{PREFLIGHT} key"
    if seen.key_state is None:
        why = f"nobody can tell whether {hosting.kms_key} can be used: Lockkeeper may look at keys "
        why += "of the production account alone, and only where the key's policy lets its look role kms:DescribeKey"
        return (inconclusive(gate, why, "Enabled"),)
    if seen.key_state != "Enabled":
        state = seen.key_state or "missing"
        why = f"{hosting.kms_key} is {state}; enable it, or name another kms_key"
        return (Verdict(gate, Outcome.FAILED, why, state, "Enabled"),)
    return (Verdict(gate, Outcome.PASSED, f"{hosting.kms_key} is enabled", "Enabled", "Enabled"),)


def fleets_of(policy: Policy, serves: bool, staging_here: bool) -> dict[str, int]:
    """Instances of each type that the production account needs at once: old fleet, new fleet, and staging where it is there.

    With a shadow three fleets are there at once: it is brought up with the champion's next, and goes with the champion.
    """
    production = policy.production
    shift, scaling = production.strategy.shift, production.autoscaling
    count = scaling.max if scaling else production.initial_instances
    second = math.ceil(count * shift.percent / 100) if isinstance(shift, Rolling) else count
    if production.strategy.shadow:
        second += count
    wanted = {production.fleet.instance_type: count + (second if serves else 0)}
    if staging_here:
        kind = policy.staging_fleet.instance_type
        wanted[kind] = wanted.get(kind, 0) + policy.staging_fleet.instances
    return {kind: needed for kind, needed in wanted.items() if kind}


def quota_name(instance_type: str) -> str:
    """What Service Quotas calls the number of instances of a type that endpoints may have."""
    return f"{instance_type} for endpoint usage"


def judge_quotas(wanted: dict[str, int], allowed: dict[str, float] | None) -> tuple[Verdict, ...]:
    """A verdict for each instance type whose quota is known; endpoints of others in the account are not counted."""
    verdicts = []
    for kind, needed in wanted.items():
        quota = quota_name(kind)
        if allowed is None or quota not in allowed:
            continue
        gate, required = f"{PREFLIGHT} quota of {kind}", f">= {needed}"
        verdict = decided(gate, allowed[quota], required, allowed[quota] >= needed)
        reason = f"{allowed[quota]:g} allowed; {needed} are needed while an update runs"
        if verdict.verdict is not Outcome.PASSED:
            reason += f"; ask for {needed} in Service Quotas: {quota}"
        verdicts.append(Verdict(gate, verdict.verdict, reason, allowed[quota], required))
    return tuple(verdicts)
