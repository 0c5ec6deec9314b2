"""Our own security rules find nothing in the translated templates, and find each thing that they are for."""

from __future__ import annotations

from typing import Any

import pytest

from checks import rules
from checks.roles.templates import templates
from tests.template.project import PROJECT

ACCOUNT = "arn:aws:iam::444455556666:root"
TEMPLATES = [PROJECT / "template.yaml", *sorted((PROJECT / "environments").glob("*.yaml"))]


@pytest.fixture(scope="module")
def translated() -> list[dict[str, Any]]:
    return templates()


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_templates_keep_every_rule(rule: Any, translated: list[dict[str, Any]]) -> None:
    assert [finding for template in translated for finding in rule(template)] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_wildcard_says_why(path: Any) -> None:
    assert rules.unexplained_wildcards(path.read_text()) == []


def route(key: str, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::ApiGatewayV2::Route", "Properties": {"RouteKey": key, **properties}}


def trusting(principal: Any, **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **condition}
    return {"Type": rules.ROLE, "Properties": {"AssumeRolePolicyDocument": {"Statement": [statement]}}}


def granting(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    role = trusting({"Service": "lambda.amazonaws.com"})
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    role["Properties"]["Policies"] = [{"PolicyName": "P", "PolicyDocument": {"Statement": [statement]}}]
    return role


def policy(kind: str, name: str, principal: Any, **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "x:Y", "Resource": "*", **more}
    return {"Type": kind, "Properties": {name: {"Statement": [statement]}}}


EVENTS = {"Service": "events.amazonaws.com"}
BAD = {
    "a route for everybody": route("GET /releases"),
    "a route whose authorisation was taken away": route("GET /releases", AuthorizationType="NONE"),
    "a route beside one that others sign": route("GET /slack/interactions"),
    "a token that nobody looks at": route("GET /api/releases", AuthorizationType="JWT"),
    "a page beside those that ask for a session": route("GET /groups/{group}/secrets"),
    "routes in a body": {
        "Type": "AWS::ApiGatewayV2::Api",
        "Properties": {"Body": {"paths": {"/releases": {"get": {"security": [{"AWS_IAM": []}]}}}}},
    },
    "a function's address": {"Type": "AWS::Lambda::Url", "Properties": {"AuthType": "NONE"}},
    "an account without an external id": trusting({"AWS": ACCOUNT}),
    "an account with another condition": trusting(
        {"AWS": ACCOUNT}, Condition={"Bool": {"aws:SecureTransport": "true"}}
    ),
    "a service for anybody": trusting(EVENTS),
    "a queue for every rule": policy("AWS::SQS::QueuePolicy", "PolicyDocument", EVENTS),
    "a topic for everybody": policy("AWS::SNS::TopicPolicy", "PolicyDocument", "*"),
    "a bucket for everybody": policy("AWS::S3::BucketPolicy", "PolicyDocument", {"AWS": "*"}),
    "a key for a service": policy("AWS::KMS::Key", "KeyPolicy", {"Service": "cloudwatch.amazonaws.com"}),
    "a bus for everybody": {"Type": "AWS::Events::EventBusPolicy", "Properties": {"Principal": "*"}},
    "a function for every rule": {
        "Type": "AWS::Lambda::Permission",
        "Properties": {"Principal": "events.amazonaws.com", "FunctionName": "f", "Action": "lambda:InvokeFunction"},
    },
    "every action": granting("*", "arn:aws:s3:::bucket/*"),
    "every action of a service": granting(["s3:*"], "arn:aws:s3:::bucket/*"),
    "an action that AWS does not have": granting("s3:HeadObject", "arn:aws:s3:::bucket/*"),
    "every table": granting(["dynamodb:GetItem"], "*"),
    "any service may have the role": granting("iam:PassRole", "arn:aws:iam::444455556666:role/r"),
}


@pytest.mark.parametrize("what", BAD)
def test_each_rule_finds_what_it_is_for(what: str) -> None:
    assert len(rules.every_finding({"Resources": {"Bad": BAD[what]}})) == 1


def test_what_is_not_granted_grants_nothing_else() -> None:
    role = granting("s3:GetObject", "arn:aws:s3:::bucket/*")
    statement = role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]
    statement["NotAction"] = statement.pop("Action")
    assert rules.every_finding({"Resources": {"Bad": role}}) == [
        ("Bad", "says what is not granted, and grants the rest")
    ]


def test_a_statement_inside_a_condition_is_looked_at() -> None:
    role = granting("s3:GetObject", "*")
    document = role["Properties"]["Policies"][0]["PolicyDocument"]
    document["Statement"] = [{"Fn::If": ["Sometimes", document["Statement"][0], {"Ref": "AWS::NoValue"}]}]
    assert len(rules.every_finding({"Resources": {"Bad": role}})) == 1


GOOD = {
    "a personal link": route("GET /approvals/{link}"),
    "a signed route": route("POST /api/decision", AuthorizationType="AWS_IAM"),
    "a route that others sign": route("POST /slack/interactions"),
    "a page that asks for a session": route("GET /groups/{group}"),
    "a token that an authorizer looks at": route("GET /api", AuthorizationType="JWT", AuthorizerId={"Ref": "A"}),
    "an external id": trusting({"AWS": ACCOUNT}, Condition={"StringEquals": {"sts:ExternalId": "x"}}),
    "a source": trusting(EVENTS, Condition={"StringEquals": {"aws:SourceAccount": "444455556666"}}),
    "a queue for one rule": policy(
        "AWS::SQS::QueuePolicy", "PolicyDocument", EVENTS, Condition={"ArnLike": {"aws:SourceArn": "arn:aws:events:*"}}
    ),
    "a named account": policy("AWS::S3::BucketPolicy", "PolicyDocument", {"AWS": ACCOUNT}),
    "a list": granting("sagemaker:ListEndpoints", "*"),
}


@pytest.mark.parametrize("what", GOOD)
def test_what_is_in_order_is_left_alone(what: str) -> None:
    assert rules.every_finding({"Resources": {"Good": GOOD[what]}}) == []


def test_a_wildcard_without_a_reason_is_found() -> None:
    statement = '- Effect: Allow\n  Action: sns:ListTopics\n  Resource: "*"\n'
    assert rules.unexplained_wildcards(f"Statement:\n{statement}") == [4]
    assert rules.unexplained_wildcards(f"Statement:\n# AWS has no resource level for lists.\n{statement}") == []
    assert rules.unexplained_wildcards(f"Statement:\n{statement.replace('Action', 'Principal: x #')}") == []
