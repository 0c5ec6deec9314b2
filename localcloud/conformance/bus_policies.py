"""EventBridge: what a bus lets other accounts put onto it, and the template type that says so."""

import json
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.arn import parse_arn
from ministack.core.responses import get_account_id, get_region, json_response, new_uuid, request_scope
from ministack.services import eventbridge
from ministack.services.cloudformation import provisioners

from localcloud.conformance.patching import replaces

Properties = dict[str, Any]

TYPE = "AWS::Events::EventBusPolicy"


def admits(bus_arn: str, caller_arn: str, event: dict[str, Any]) -> bool:
    """Whether the policy of a bus allows the role or user of another account to put this event onto it.

    The emulator keeps policies and never asks them.
    """
    spec = parse_arn(bus_arn)
    with request_scope(spec.account_id, spec.region):
        policy = eventbridge._event_bus_policies.get(spec.resource.removeprefix("event-bus/"))
    context = iam_evaluator.EvalContext(
        principal_arn=caller_arn,
        principal_type="AssumedRole" if ":assumed-role/" in caller_arn else "User",
        principal_account=caller_arn.split(":")[4],
        action="events:PutEvents",
        resource_arn=bus_arn,
        region=spec.region,
        secure_transport=True,
        service_context={
            "events:source": event.get("Source", ""),
            "events:detail-type": event.get("DetailType", ""),
        },
    )
    return bool(iam_evaluator.evaluate_resource_policy(policy, context).decision == "Allow")


def put_statement(properties: Properties, logical_id: str) -> str:
    """Keep the resource's statement in its bus's policy; returns the physical id, `BUS|STATEMENT`."""
    bus = str(properties.get("EventBusName") or "default").rpartition("/")[2]
    statement_id = str(properties.get("StatementId") or logical_id)
    statement = {**(properties.get("Statement") or _short_form(properties, bus)), "Sid": statement_id}
    policy = eventbridge._event_bus_policies.get(bus) or {"Version": "2012-10-17", "Statement": []}
    others = [one for one in policy["Statement"] if one.get("Sid") != statement_id]
    eventbridge._event_bus_policies[bus] = {**policy, "Statement": [*others, statement]}
    return f"{bus}|{statement_id}"


def _short_form(properties: Properties, bus: str) -> Properties:
    """The statement of who names only `Action` and `Principal` (an account id or `*`), perhaps with a `Condition`."""
    account = str(properties.get("Principal", ""))
    condition = properties.get("Condition")
    return {
        "Effect": "Allow",
        "Principal": account if account == "*" else {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": properties.get("Action", "events:PutEvents"),
        "Resource": f"arn:aws:events:{get_region()}:{get_account_id()}:event-bus/{bus}",
        **({"Condition": {condition["Type"]: {condition["Key"]: condition["Value"]}}} if condition else {}),
    }


def put_permission(request: Properties) -> Any:
    """PutPermission. The emulator writes the account's number for a principal, which names nobody, and ignores `Policy`."""
    bus = str(request.get("EventBusName") or "default")
    if request.get("Policy"):
        eventbridge._event_bus_policies[bus] = json.loads(request["Policy"])
    else:
        put_statement(request, new_uuid())
    return json_response({})


def remove_statement(physical_id: str) -> None:
    """Take a resource's statement out of its bus's policy."""
    bus, _, statement_id = physical_id.partition("|")
    eventbridge._remove_permission({"EventBusName": bus, "StatementId": statement_id})


def create(logical_id: str, properties: Properties, _stack_name: str) -> tuple[str, Properties]:
    """Create the resource; Ref gives its physical id."""
    return put_statement(properties, logical_id), {}


def update(
    physical_id: str, _old: Properties, new: Properties, *_rest: Any, **_keywords: Any
) -> tuple[str, Properties]:
    """Replace the statement, under a new name too."""
    remove_statement(physical_id)
    return put_statement(new, physical_id.partition("|")[2]), {}


def delete(physical_id: str, _properties: Properties) -> None:
    """Delete the resource."""
    remove_statement(physical_id)


def install() -> None:
    """Apply the patches of this concern; `events` asks `admits` on delivery to another account's bus.

    The emulator refuses AWS::Events::EventBusPolicy.
    """
    replaces(eventbridge, "_put_permission", put_permission)
    provisioners._RESOURCE_HANDLERS[TYPE] = {"create": create, "update": update, "delete": delete}
