"""Which actions AWS asks for a call, held against what the laptop's AWS asked.

The emulator maps calls to actions by a table of its own. Here the same calls, by the names that boto3 gives them, are mapped once
more: an operation needs the action of its name unless a rule below says otherwise, and what AWS lists as dependent on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from checks.roles.grants import roles_in, session_of
from checks.roles.recordings import Document, Recording
from checks.roles.reference import dependent_on, fits, known, may_name_everything

NAMESPACES = {
    "stepfunctions": "states",
    "monitoring": "cloudwatch",
    "sagemaker-runtime": "sagemaker",
    "eventbridge": "events",
    "service-quotas": "servicequotas",
}

RENAMED = {
    "s3:HeadObject": "s3:GetObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "lambda:Invoke": "lambda:InvokeFunction",
}
"""Operations whose action has another name. Source: the API reference of each operation, "Permissions"."""

SCALING = "application-autoscaling"
BEYOND = {
    f"{SCALING}:RegisterScalableTarget": {
        "sagemaker:DescribeEndpoint",
        "sagemaker:DescribeEndpointConfig",
        "sagemaker:UpdateEndpointWeightsAndCapacities",
        "iam:CreateServiceLinkedRole",
    },
    f"{SCALING}:PutScalingPolicy": {
        "cloudwatch:PutMetricAlarm",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:DeleteAlarms",
    },
    f"{SCALING}:DeregisterScalableTarget": {"cloudwatch:DeleteAlarms"},
}
"""What an operation does on its caller's behalf in other services. Source: the user guide of Application Auto Scaling, "Identity-based
policy examples". The reference lists none of it as dependent."""

VERSIONED = {"s3:GetObject": "s3:GetObjectVersion", "s3:DeleteObject": "s3:DeleteObjectVersion"}
TRANSACTION = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}
MISSING = 404


def needed_for(call: Document) -> set[str]:
    """The actions that AWS asks for a call, by its operation and parameters; empty where the operation is not known."""
    service = NAMESPACES.get(call["service"], call["service"])
    told = call["parameters"]
    own = f"{service}:{call['operation']}"
    if own == "dynamodb:TransactWriteItems":
        return {TRANSACTION[kind] for kind in told["TransactItems"]}
    action = RENAMED.get(own, own)
    if "VersionId" in told:
        action = VERSIONED.get(action, action)
    if not known(action):
        return set()
    dependent = dependent_on(action)
    needed = {action, *BEYOND.get(own, ())}
    if "iam:PassRole" in dependent and ("RoleArn" in told or "ExecutionRoleArn" in told):
        needed.add("iam:PassRole")
    if f"{service}:AddTags" in dependent and told.get("Tags"):
        needed.add(f"{service}:AddTags")
    if "CopySource" in told:
        needed.add("s3:GetObjectVersion" if "versionId=" in told["CopySource"] else "s3:GetObject")
    return needed


def optional_for(call: Document) -> set[str]:
    """Actions that decide how a call is refused: whether an object is missing is told to who may list the bucket."""
    return {"s3:ListBucket"} if call["service"] == "s3" and call["status"] == MISSING else set()


def wrongly_mapped(recordings: Iterable[Recording]) -> list[tuple[str, str, str]]:
    """Role, operation and what is wrong, for calls of the stacks' roles that were not asked what AWS would ask.

    A call that was refused was not asked everything, so only those that were let through count.
    """
    return sorted({found for recording in recordings for found in _wrong_in(recording)})


def _wrong_in(recording: Recording) -> Iterator[tuple[str, str, str]]:
    names = {(role.arn.split(":")[4], role.arn.rpartition("/")[2]): role.name for role in recording.roles}
    asked: dict[tuple[str, str], set[str]] = {}
    for decision in recording.decisions:
        if decision.get("kind") != "trust":
            asked.setdefault((decision["request"], decision["principal"]), set()).add(decision["action"])
    for call in recording.calls:
        role = names.get(session_of(call["caller"]) or ("", ""))
        if role is None or call["status"] == 403:
            continue
        actions = asked.get((call["request"], call["caller"]), set())
        operation = f"{call['service']}:{call['operation'] or '?'}"
        if not actions:
            yield role, operation, "let through without being asked"
        elif not (needed := needed_for(call)):
            yield role, operation, f"no rule says what AWS asks; asked: {', '.join(sorted(actions))}"
        elif actions - optional_for(call) != needed:
            yield role, operation, f"asked: {', '.join(sorted(actions))}; AWS asks: {', '.join(sorted(needed))}"


def misfits(recordings: Iterable[Recording]) -> list[tuple[str, str]]:
    """Actions that AWS does not have, or that the stacks' roles were asked about on a resource of a type they are not about."""
    pairs = {
        (asked.context.action, asked.context.resource_arn) for role in roles_in(recordings) for asked in role.asked
    }
    return sorted((action, arn) for action, arn in pairs if not known(action) or not _named(action, arn))


def _named(action: str, arn: str) -> bool:
    return fits(action, arn) or (arn == "*" and may_name_everything(action))
