"""What `lockkeeper doctor` looks at: the deployed stack, and what each policy needs of AWS. It changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from lockkeeper.domain.batch import BATCH, model_named_in
from lockkeeper.domain.deployed import CLOUDFORMATION
from lockkeeper.domain.errors import LockkeeperError
from lockkeeper.domain.gates.approval import addresses_of, judge_people
from lockkeeper.domain.gates.preflight import HOSTING_SERVICE, fleets_of, quota_name
from lockkeeper.domain.policy import Policy, parse_policy
from lockkeeper.domain.release import Outcome

from cli.problems import CommandRefused, explain

if TYPE_CHECKING:
    from cli.stack import Stack


AN_AUTHOR = "an author who is known, and none of those who are asked"
"""In place of a version's author where there is no version."""


class State(StrEnum):
    """What came of a look; `unknown` is what these credentials cannot see."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, what was seen, and what to do about it (empty where nothing is to be done)."""

    what: str
    state: State
    seen: str
    cure: str = ""


def examine(stack: Stack, name: str, only: str | None = None) -> list[Finding]:
    """Look at the stack, and at every group or `only` one. A look that AWS refuses is a finding, and the next one is taken."""
    findings: list[Finding] = []
    for check in (look_at_stack, look_at_rules, look_at_key, look_at_dead_letters, look_at_accounts):
        findings += _taken(
            check.__name__.removeprefix("look_at_").replace("_", " "), lambda check=check: check(stack, name)
        )
    findings += _taken("policies", lambda: look_at_groups(stack, only))
    return findings


def _taken(what: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except (ClientError, BotoCoreError) as error:
        refusal = explain(error) or CommandRefused(str(error))
        yield Finding(what, State.UNKNOWN, refusal.message, refusal.cure or "mend what it names, or look again later")
    except LockkeeperError as error:
        yield Finding(what, State.PROBLEM, error.message, error.cure or "mend the policy and apply it again")


def look_at_stack(stack: Stack, name: str) -> Iterator[Finding]:
    """Whether CloudFormation has finished with the stack."""
    status = stack.session.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"}:
        yield Finding("stack", State.OK, f"{name} is {status}")
    else:
        yield Finding("stack", State.PROBLEM, f"{name} is {status}", "look at its events, then deploy it again")


def look_at_rules(stack: Stack, name: str) -> Iterator[Finding]:
    """Whether every rule of the stack listens: a disabled one loses events that nobody hears of."""
    names = {
        # AWS puts the bus in front of a rule that is not on the default one.
        one["PhysicalResourceId"].rpartition("|")[2]
        for one in _resources(stack, name)
        if one["ResourceType"] == "AWS::Events::Rule"
    }
    pages = stack.session.client("events").get_paginator("list_rules")
    buses = ("default", stack.outputs["BusName"])
    listen = {
        rule["Name"]
        for bus in buses
        for page in pages.paginate(EventBusName=bus)
        for rule in page["Rules"]
        if rule["State"] != "DISABLED"
    }
    if deaf := sorted(names - listen):
        cure = (
            "aws events enable-rule for each, or deploy again where one is gone; what they missed is found by KeepHouse"
        )
        yield Finding("event rules", State.PROBLEM, f"disabled or gone: {', '.join(deaf)}", cure)
    else:
        yield Finding("event rules", State.OK, f"{len(names)} of {len(names)} listen")


def _resources(stack: Stack, name: str) -> list[dict[str, Any]]:
    pages = stack.session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
    return [one for page in pages for one in page["StackResourceSummaries"]]


def look_at_key(stack: Stack, _name: str) -> Iterator[Finding]:
    """Whether the key of table, bucket and queues can be used."""
    key = stack.session.client("kms").describe_key(KeyId=stack.outputs["KeyArn"])["KeyMetadata"]
    if key["KeyState"] == "Enabled":
        yield Finding("key", State.OK, "enabled")
    else:
        cure = "enable it, or cancel its deletion: without it no evidence can be read"
        yield Finding("key", State.PROBLEM, f"it is {key['KeyState']}", cure)


def look_at_dead_letters(stack: Stack, _name: str) -> Iterator[Finding]:
    """Whether something could not be delivered."""
    sqs, wanted = stack.session.client("sqs"), "ApproximateNumberOfMessages"
    answer = sqs.get_queue_attributes(QueueUrl=stack.outputs["DeadLettersUrl"], AttributeNames=[wanted])
    waiting = int(answer["Attributes"][wanted])
    if waiting:
        yield Finding("dead letters", State.WARNING, f"{waiting} wait", "lockkeeper replay --dead-letters")
    else:
        yield Finding("dead letters", State.OK, "none")


def look_at_accounts(stack: Stack, _name: str) -> Iterator[Finding]:
    """What these credentials cannot see."""
    for kind, account in sorted(stack.joined.items()):
        cure = "see docs/accounts.md for what the stack of that account has to hold; a release says where it is refused"
        yield Finding(
            f"{kind} account", State.UNKNOWN, f"{account} is another account; nothing in it was looked at", cure
        )


def look_at_groups(stack: Stack, only: str | None) -> Iterator[Finding]:
    """Every group that has a policy, or `only` one, which needs no list of them."""
    for group in stack.world.policies.groups() if only is None else [only]:
        yield from _taken(f"{group}: policy", lambda group=group: look_at_group(stack, group))


def look_at_group(stack: Stack, group: str) -> Iterator[Finding]:
    """A policy in force, and what it needs."""
    policy = parse_policy(stack.world.policies.load(group).text, source=f"policies/{group}.yaml")
    yield Finding(f"{group}: policy", State.OK, f"valid, mode {policy.mode}")
    looks: dict[str, Callable[[Stack, Policy], Iterator[Finding]]] = {"people": look_at_people}
    if "registry" not in stack.joined:
        looks["other rules"] = look_at_other_rules
    if "production" not in stack.joined:
        looks |= {"endpoint": look_at_endpoint, "role": look_at_role, "quota": look_at_quota}
    for what, look in looks.items():
        yield from _taken(f"{group}: {what}", lambda look=look: look(stack, policy))


def look_at_people(stack: Stack, policy: Policy) -> Iterator[Finding]:
    """Whether those who have to approve can be reached by mail."""
    what = f"{policy.model_package_group}: people"
    addresses = addresses_of(policy.approval)
    confirmed = stack.world.mail.confirmed(addresses) if addresses else addresses
    judge = partial(judge_people, policy.approval, confirmed=confirmed, slack_used=stack.world.slack_used)
    known = judge(AN_AUTHOR)
    if not known:
        yield Finding(what, State.OK, "nobody is asked")
    # Who made a version is told by the metadata that the policy names; else AWS may know, or nobody does.
    for verdict, strict in zip(known, known if policy.approval.author_from else judge(""), strict=True):
        seen = f"{verdict.measured} can be reached"
        if verdict.verdict is not Outcome.PASSED:
            yield Finding(what, State.PROBLEM, seen, verdict.reason)
        elif strict.verdict is not Outcome.PASSED:
            seen = f"{seen}; of a version that nobody knows the author of, it takes {strict.required}"
            yield Finding(what, State.WARNING, seen, strict.reason)
        else:
            yield Finding(what, State.OK, verdict.reason)


def look_at_other_rules(stack: Stack, policy: Policy) -> Iterator[Finding]:
    """Whether somebody else's rule starts something, too, when a version is registered or approved."""
    group, events = policy.model_package_group, stack.session.client("events")
    sample = json.dumps(_registration(stack, group))
    pages = events.get_paginator("list_rules").paginate(EventBusName="default")
    others = [
        rule["Name"]
        for page in pages
        for rule in page["Rules"]
        if rule.get("State") != "DISABLED"
        and "EventPattern" in rule
        and events.test_event_pattern(EventPattern=rule["EventPattern"], Event=sample)["Result"]
        and not _forwards(events, rule["Name"], stack)
    ]
    if others:
        cure = "see that they deploy nothing (aws events list-targets-by-rule), or two systems change one endpoint"
        yield Finding(
            f"{group}: other rules", State.WARNING, f"also hear of its versions: {', '.join(sorted(others))}", cure
        )
    else:
        yield Finding(f"{group}: other rules", State.OK, "nobody else's rule hears of its versions")


def _forwards(events: Any, rule: str, stack: Stack) -> bool:
    """Whether a rule only carries events to Lockkeeper's bus."""
    targets = events.list_targets_by_rule(Rule=rule, EventBusName="default")["Targets"]
    return all(target["Arn"].endswith(f":event-bus/{stack.outputs['BusName']}") for target in targets)


def _registration(stack: Stack, group: str) -> dict[str, Any]:
    """The event of a version that somebody approves in the registry."""
    place = stack.outputs["StateMachineArn"].split(":")
    arn = f"arn:{place[1]}:sagemaker:{place[3]}:{place[4]}:model-package/{group}/1"
    return {
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000000",
        "detail-type": "SageMaker Model Package State Change",
        "source": "aws.sagemaker",
        "account": place[4],
        "time": "2026-01-01T00:00:00Z",
        "region": place[3],
        "resources": [arn],
        "detail": {
            "ModelPackageArn": arn,
            "ModelPackageGroupName": group,
            "ModelPackageVersion": 1,
            "ModelPackageStatus": "Completed",
            "ModelApprovalStatus": "Approved",
        },
    }


def look_at_endpoint(stack: Stack, policy: Policy) -> Iterator[Finding]:
    """Whether production can be updated, and is nobody else's."""
    if policy.production.target == BATCH:
        yield _look_at_parameter(stack, policy)
        return
    what, name = f"{policy.model_package_group}: endpoint", policy.production.endpoint_name
    sagemaker = stack.session.client("sagemaker")
    try:
        endpoint = sagemaker.describe_endpoint(EndpointName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":
            raise
        yield Finding(what, State.OK, f"{name} does not exist; the first release creates it")
        return
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=endpoint["EndpointArn"])
    owner = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}.get(CLOUDFORMATION)
    # AWS leaves the tag on what was taken out of its stack: whether it was taken over, only the ledger knows.
    champion = stack.world.ledger.champion(policy.model_package_group)
    if owner and (champion is None or champion.endpoint_name != name):
        cure = "take it out of that stack, whose next deployment would undo a release"
        if champion is None:
            cure += f", then `lockkeeper adopt {policy.model_package_group} --take-over`"
        yield Finding(what, State.WARNING, f"{name} belongs to CloudFormation stack {owner}", cure)
    elif endpoint["EndpointStatus"] == "InService":
        yield Finding(what, State.OK, f"{name} is InService")
    else:
        cure = "bring it to InService: no release can change it before"
        yield Finding(what, State.PROBLEM, f"{name} is {endpoint['EndpointStatus']}", cure)


def _look_at_parameter(stack: Stack, policy: Policy) -> Finding:
    what, name = f"{policy.model_package_group}: champion", policy.production.endpoint_name
    ssm = stack.session.client("ssm")
    try:
        text = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return Finding(what, State.OK, f"parameter {name} does not exist; the first release creates it")
    if model := model_named_in(text):
        return Finding(what, State.OK, f"parameter {name} names {model}")
    cure = "find out who wrote it, then delete it: no release can change it before"
    return Finding(what, State.PROBLEM, f"parameter {name} names no model of a release", cure)


def look_at_role(stack: Stack, policy: Policy) -> Iterator[Finding]:
    """Whether SageMaker may take the role that the policy names."""
    what, arn = f"{policy.model_package_group}: role", policy.production.execution_role_arn
    if arn is None:
        return
    name = arn.rpartition("/")[2]
    try:
        trust = stack.session.client("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise
        yield Finding(what, State.PROBLEM, f"there is no role {name}", "create it, or name another execution_role_arn")
        return
    document = trust if isinstance(trust, str) else json.dumps(trust)
    if HOSTING_SERVICE in document:
        yield Finding(what, State.OK, f"{name} may be taken by SageMaker")
    else:
        yield Finding(
            what, State.PROBLEM, f"{name} does not trust {HOSTING_SERVICE}", "let its trust policy name that service"
        )


def look_at_quota(stack: Stack, policy: Policy) -> Iterator[Finding]:
    """Whether the account may run staging beside production's old and new fleet."""
    wanted = fleets_of(policy, serves=True, staging_here="staging" not in stack.joined)
    quotas = stack.session.client("service-quotas")
    pages = quotas.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    allowed = {quota["QuotaName"]: quota["Value"] for page in pages for quota in page["Quotas"]}
    yield from judge_quotas(policy.model_package_group, wanted, allowed)


def judge_quotas(group: str, wanted: dict[str, int], allowed: dict[str, float]) -> Iterator[Finding]:
    """What is wanted of each instance type against the quotas, by their names."""
    for kind, needed in wanted.items():
        what, quota = f"{group}: quota of {kind}", quota_name(kind)
        if quota not in allowed:
            yield Finding(what, State.UNKNOWN, f"{needed} are needed; Service Quotas lists none", "look at its console")
        elif allowed[quota] < needed:
            seen = f"{allowed[quota]:g}, and an update beside staging takes {needed}"
            yield Finding(what, State.PROBLEM, seen, f"ask for {needed} in Service Quotas: {quota}")
        else:
            yield Finding(what, State.OK, f"{allowed[quota]:g}; an update beside staging takes {needed}")
