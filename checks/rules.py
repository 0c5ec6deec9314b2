"""Lockkeeper's own security rules on translated templates: what cfn-lint, checkov and parliament do not see.

Each rule takes a template as CloudFormation gets it and yields what breaks it, as the logical id and a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from checks.roles.reference import known, may_name_everything

Document = dict[str, Any]
Finding = tuple[str, str]

ROLE = "AWS::IAM::Role"
LINK = "{link}"
"""A route with a personal link in its path is authorised by the link."""
SIGNED = frozenset({"POST /slack/interactions"})
"""Routes whose requests are signed by others than AWS; the function refuses what is not."""
BY_SESSION = frozenset(
    {
        "GET /sign-in",
        "GET /sign-in/callback",
        "POST /sign-out",
        "GET /",
        "GET /groups/{group}",
        "GET /releases/{release_id}",
    }
)
"""Routes of people's browsers, which send no token: the way to a session, and pages whose function asks for one."""
BY_AUTHORIZER = frozenset({"JWT", "CUSTOM"})
"""Kinds of authorization that an authorizer of the API gives."""

PASSED_ROLES_ONLY = frozenset({"lambda.amazonaws.com", "states.amazonaws.com"})
"""Services whose roles SAM writes, with a trust that has no place for a condition.

Both take a role only from who may pass it, and roles can be passed inside their own account only.
"""
SOURCES = frozenset(
    {
        "aws:sourcearn",
        "aws:sourceaccount",
        "aws:sourceorgid",
        "aws:principalarn",
        "aws:principalaccount",
        "kms:calleraccount",
    }
)
"""Condition keys that say who is behind a request."""

RESOURCE_POLICIES = {
    "AWS::SQS::QueuePolicy": "PolicyDocument",
    "AWS::SNS::TopicPolicy": "PolicyDocument",
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::KMS::Key": "KeyPolicy",
    "AWS::SecretsManager::ResourcePolicy": "ResourcePolicy",
}


def every_finding(template: Document) -> list[Finding]:
    """What every rule says about a template."""
    return [finding for rule in RULES for finding in rule(template)]


def routes_without_authorisation(template: Document) -> Iterator[Finding]:
    """An HTTP API's route is for everybody unless something authorises its callers."""
    for logical_id, properties in _resources(template, "AWS::ApiGatewayV2::Api"):
        if properties.get("Body") or properties.get("BodyS3Location"):
            yield logical_id, "brings routes in its body, where no condition and no rule sees them"
    for logical_id, properties in _resources(template, "AWS::ApiGatewayV2::Route"):
        kind, route = properties.get("AuthorizationType", "NONE"), properties["RouteKey"]
        if kind in BY_AUTHORIZER and not properties.get("AuthorizerId"):
            yield logical_id, f"{route} names no authorizer"
        elif kind not in {"AWS_IAM", *BY_AUTHORIZER} and LINK not in route and route not in SIGNED | BY_SESSION:
            yield logical_id, f"{route} asks nobody who they are"
    for logical_id, properties in _resources(template, "AWS::Lambda::Url"):
        if properties.get("AuthType") != "AWS_IAM":
            yield logical_id, "a function's address that asks nobody who they are"


def trust_without_condition(template: Document) -> Iterator[Finding]:
    """A role trusts accounts with an external ID only, and services on behalf of a named source only."""
    for logical_id, properties in _resources(template, ROLE):
        for statement in _statements(properties["AssumeRolePolicyDocument"]):
            principal, keys = statement.get("Principal"), _condition_keys(statement)
            if principal == "*" or "AWS" in principal:
                if "sts:externalid" not in keys:
                    yield logical_id, "trusts an account without an external ID"
            elif not (set(_listed(principal.get("Service", []))) <= PASSED_ROLES_ONLY or keys & SOURCES):
                yield logical_id, "trusts a service without saying on whose behalf"


def open_resource_policies(template: Document) -> Iterator[Finding]:
    """A queue, topic, bus, key, bucket or function lets nobody in from elsewhere without saying who is behind them."""
    for kind, name in RESOURCE_POLICIES.items():
        for logical_id, properties in _resources(template, kind):
            for statement in _statements(properties[name]):
                yield from _open(logical_id, statement, statement.get("Principal"))
    for logical_id, properties in _resources(template, "AWS::Events::EventBusPolicy"):
        statement = properties.get("Statement") or {"Effect": "Allow", "Principal": properties.get("Principal", "*")}
        yield from _open(logical_id, statement, statement.get("Principal"))
    for logical_id, properties in _resources(template, "AWS::Lambda::Permission"):
        if not {"SourceArn", "SourceAccount"} & set(properties):
            yield logical_id, f"lets {properties.get('Principal')} call the function for anybody"


def _open(logical_id: str, statement: Document, principal: Any) -> Iterator[Finding]:
    if statement["Effect"] == "Deny" or _condition_keys(statement) & SOURCES:
        return
    if (
        isinstance(principal, dict)
        and set(principal) == {"AWS"}
        and not any("*" in str(one) for one in _listed(principal["AWS"]))
    ):
        return
    yield logical_id, f"statement {statement.get('Sid', '')!r} lets {principal} in, whoever is behind it"


def wildcard_actions(template: Document) -> Iterator[Finding]:
    """A role names every action that it may do, and none that AWS does not have."""
    for logical_id, statement in _granted(template):
        if not {"Action", "Resource"} <= set(statement):
            yield logical_id, "says what is not granted, and grants the rest"
        for action in _listed(statement.get("Action", [])):
            if "*" in action or "?" in action:
                yield logical_id, f"grants {action}"
            elif not known(action):
                yield logical_id, f"grants {action}, which AWS does not have"


def wildcard_resources(template: Document) -> Iterator[Finding]:
    """A role names the resources of an action wherever AWS lets it."""
    for logical_id, statement in _granted(template):
        if "*" in _listed(statement.get("Resource", [])):
            for action in _listed(statement.get("Action", [])):
                if not may_name_everything(action):
                    yield logical_id, f"grants {action} on every resource, though AWS lets it be bound to one"


def roles_handed_to_anybody(template: Document) -> Iterator[Finding]:
    """Who may pass a role may pass it to one service."""
    for logical_id, statement in _granted(template):
        passes = "iam:PassRole" in _listed(statement.get("Action", []))
        if passes and "iam:passedtoservice" not in _condition_keys(statement):
            yield logical_id, "may pass a role to any service"


RULES = (
    routes_without_authorisation,
    trust_without_condition,
    open_resource_policies,
    wildcard_actions,
    wildcard_resources,
    roles_handed_to_anybody,
)


def unexplained_wildcards(source: str) -> list[int]:
    """Lines of a template's text with the resource `*` whose statement has no comment that says why."""
    lines = source.splitlines()
    found = []
    for number, line in enumerate(lines):
        statement = "\n".join(_statement_around(lines, number)) if re.search(r'\bResource: "\*"', line) else "#"
        # In a policy of a resource `*` is the resource itself.
        if "#" not in statement and "Principal:" not in statement:
            found.append(number + 1)
    return found


def _statement_around(lines: list[str], number: int) -> list[str]:
    """The lines of the list item that a line is in, up to it, and the comment directly above."""
    first, indent = number, _indent(lines[number])
    while not (lines[first].lstrip().startswith("- ") and _indent(lines[first]) in (indent, indent - 2)):
        first -= 1
    while lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return lines[first : number + 1]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _resources(template: Document, kind: str) -> Iterator[tuple[str, Document]]:
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == kind:
            yield logical_id, resource.get("Properties", {})


def _granted(template: Document) -> Iterator[tuple[str, Document]]:
    """Every statement of a role or a managed policy that allows something."""
    for logical_id, properties in _resources(template, ROLE):
        for policy in properties.get("Policies", []):
            for statement in _statements(policy["PolicyDocument"]):
                yield logical_id, statement
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for logical_id, properties in _resources(template, kind):
            for statement in _statements(properties["PolicyDocument"]):
                yield logical_id, statement


def _statements(document: Document) -> Iterator[Document]:
    """The statements of a policy, those included that a condition chooses."""
    for statement in _listed(document["Statement"]):
        yield from _chosen(statement)


def _chosen(value: Document) -> Iterable[Document]:
    if "Fn::If" not in value:
        return [value]
    branches = [branch for branch in value["Fn::If"][1:] if branch != {"Ref": "AWS::NoValue"}]
    return [statement for branch in branches for statement in _chosen(branch)]


def _condition_keys(statement: Document) -> set[str]:
    return {key.lower() for block in (statement.get("Condition") or {}).values() for key in block}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
