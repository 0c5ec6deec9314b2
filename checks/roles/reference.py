"""AWS's service authorization reference, in policy_sentry's copy: which actions there are, and which resources they are about."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from policy_sentry.querying.actions import get_action_data

NEEDS_EVERY_RESOURCE = frozenset(
    {"cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory", "sagemaker:ListModelPackages"}
)
"""Actions with a resource level that callers are not to use.

A list of model packages over every group names none of them. API reference of the alarms: "you must be signed on with the
permission that is scoped to *. You can't return information about composite alarms if your permission has a narrower scope."
"""

WITH_SLASHES = frozenset(
    {
        "AlarmName",
        "ObjectName",
        "RoleNameWithPath",
        "LogGroupName",
        "LogStreamName",
        "ModelPackageName",
        "ParameterNameWithoutLeadingSlash",
        "SecretId",
    }
)
"""Names in ARNs that have parts of their own."""


@lru_cache
def known(action: str) -> tuple[dict[str, Any], ...]:
    """What AWS lists for an action, one entry for each type of resource; empty where there is no such action."""
    service, _, name = action.partition(":")
    found: dict[str, Any] = get_action_data(service, name) or {}
    return tuple(found.get(service, ()))


def dependent_on(action: str) -> set[str]:
    """The further actions that AWS may ask whoever does this one."""
    return {name for one in known(action) for name in one["dependent_actions"]}


@lru_cache
def resource_types(action: str) -> tuple[str, ...]:
    """The ARN formats of the resources an action can be bound to; empty where AWS has no resource level for it."""
    return tuple(one["resource_arn_format"] for one in known(action) if one["resource_arn_format"] != "*")


def fits(action: str, arn: str) -> bool:
    """Whether a resource is of a type that the action is about."""
    formats = resource_types(action)
    return arn == "*" if not formats else any(_pattern(one).fullmatch(arn) for one in formats)


def may_name_everything(action: str) -> bool:
    """Whether a statement about this action has no other resource to name than `*`."""
    return bool(known(action)) and (not resource_types(action) or action in NEEDS_EVERY_RESOURCE)


@lru_cache
def _pattern(arn_format: str) -> re.Pattern[str]:
    parts = re.split(r"\$\{(\w+)\}", arn_format)
    return re.compile("".join(_place(part) if number % 2 else re.escape(part) for number, part in enumerate(parts)))


def _place(name: str) -> str:
    if name in ("Partition", "Region", "Account"):
        return "[^:]*"
    return ".+" if name in WITH_SLASHES else "[^/:]+"
