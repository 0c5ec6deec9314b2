"""IAM: who a caller is, and what a call is about, as policies see it."""

import json
from typing import Any
from urllib.parse import parse_qs

from ministack.core import iam_actions, iam_evaluator
from ministack.services import iam, sts

from localcloud.conformance.patching import replaces, wraps


def name_roles_by_their_own_arn() -> None:
    """For a session of a role the emulator gives `aws:PrincipalArn` the session's ARN; AWS gives it the role's.

    A trust policy that names the roles which may take another one would refuse them all.
    """

    @wraps(iam_evaluator, "_resolve_condition_key")
    def resolve(original: Any, key: str, context: Any) -> Any:
        value = original(key, context)
        if key.lower() != "aws:principalarn" or ":assumed-role/" not in str(value):
            return value
        account, name = value.split(":")[4], value.split("/")[1]
        role = iam._roles.get_scoped(account, None, name)
        return role["Arn"] if role else f"arn:{value.split(':')[1]}:iam::{account}:role/{name}"


def name_schedules_by_their_group() -> None:
    """The emulator puts every schedule into group `default` when it asks IAM; AWS's ARN has the schedule's own group."""

    @wraps(iam_actions, "extract_resource_arn")
    def extract(
        original: Any, service: str, method: str, path: str, headers: Any, body: bytes, query: Any, *rest: Any
    ) -> Any:
        arn = original(service, method, path, headers, body, query, *rest)
        if service != "scheduler" or ":schedule/default/" not in str(arn):
            return arn
        asked = query.get("groupName") or [""]
        group = asked[0] if isinstance(asked, list) else asked
        if not group and body:
            group = json.loads(body).get("GroupName", "")
        return arn.replace(":schedule/default/", f":schedule/{group or 'default'}/")


def name_the_alarm_that_is_deleted() -> None:
    """The emulator asks IAM about every alarm when one is deleted; AWS asks about those that are named.

    Here more than one at once is still about every alarm: that refuses too much, and never too little.
    """

    @wraps(iam_actions, "extract_resource_arn")
    def extract(
        original: Any, service: str, method: str, path: str, headers: Any, body: bytes, query: Any, *rest: Any
    ) -> Any:
        arn = original(service, method, path, headers, body, query, *rest)
        if service != "monitoring" or arn != "*":
            return arn
        if iam_actions.extract_iam_action(service, method, path, headers, body, query) != "cloudwatch:DeleteAlarms":
            return arn
        named = iam_actions._safe_json_field(body, "AlarmNames") or []
        region, account = rest
        return f"arn:aws:cloudwatch:{region}:{account}:alarm:{named[0]}" if len(named) == 1 else arn


def name_the_role_that_is_asked_about() -> None:
    """The emulator takes a question about one role's permissions for a question about every resource; AWS takes that role."""

    @wraps(iam_actions, "extract_resource_arn")
    def extract(
        original: Any, service: str, method: str, path: str, headers: Any, body: bytes, query: Any, *rest: Any
    ) -> Any:
        arn = original(service, method, path, headers, body, query, *rest)
        asked = parse_qs(body.decode()) if service == "iam" and body else {}
        if asked.get("Action") != ["SimulatePrincipalPolicy"]:
            return arn
        return asked.get("PolicySourceArn", [arn])[0]


def tell_the_namespace_of_metrics() -> None:
    """The emulator does not say which namespace metrics are put into; AWS does, and roles are held to it."""

    @wraps(iam_actions, "request_tag_context")
    def context(original: Any, service: str, action: str, body: bytes, params: Any) -> Any:
        known = original(service, action, body, params)
        if action != "cloudwatch:PutMetricData":
            return known
        return {**known, "cloudwatch:namespace": namespace_in(body)}


def namespace_in(body: bytes) -> str:
    """The namespace of a PutMetricData request, in JSON or a form; empty where it has none."""
    if body.startswith(b"{"):
        return str(iam_actions._safe_json_field(body, "Namespace"))
    return parse_qs(body.decode(errors="replace")).get("Namespace", [""])[0]


def forget_expired_sessions() -> None:
    """The emulator walks through its sessions while other threads begin some, which ends the call of whoever walks; a copy holds still."""
    for key, session in sts._sessions.copy().items():
        if sts._session_expired(session):
            sts._sessions.pop(key, None)


def install() -> None:
    """Apply the patches of this module."""
    replaces(sts, "_evict_expired_sessions", forget_expired_sessions)
    tell_the_namespace_of_metrics()
    name_roles_by_their_own_arn()
    name_schedules_by_their_group()
    name_the_alarm_that_is_deleted()
    name_the_role_that_is_asked_about()
