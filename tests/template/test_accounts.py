"""`environments/account.yaml` against the hub's template: the same role for the same job, wherever it is."""

from __future__ import annotations

import re
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from localcloud.deploy import HUB_OUTPUTS
from tests.template.project import PROJECT, resources, template, texts_in

JOINED: dict[str, Any] = yaml_parse((PROJECT / "environments" / "account.yaml").read_text())
ROLES = {
    "RegistryRole": "${HubStackName}-registry",
    "StagingDeployRole": "${HubStackName}-staging-deploy",
    "ProductionDeployRole": "${HubStackName}-production-deploy",
    "ProductionLookRole": "${HubStackName}-production-look",
    "EndpointExecutionRole": "${HubStackName}-${Kind}-endpoint",
    "ReplayJobRole": "${HubStackName}-staging-replay",
    "MonitorJobRole": "${HubStackName}-production-monitor",
}
"""Roles that the hub takes or names in a joined account, with the names by which it does."""

FOR_SAGEMAKER = ("EndpointExecutionRole", "ReplayJobRole", "MonitorJobRole")
"""Those that SageMaker takes, and not the hub's functions."""


def joined(kind: str) -> dict[str, dict[str, Any]]:
    found = {name: one for name, one in JOINED["Resources"].items() if one["Type"] == kind}
    return {name: one.get("Properties") or {} for name, one in found.items()}


def statements(role: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for policy in role["Policies"] for one in policy["PolicyDocument"]["Statement"]]


def in_production(statement: dict[str, Any]) -> dict[str, Any]:
    """A statement as production has it, where a joined account has it for production alone: the hub may be all kinds at once."""
    match statement:
        case {"Fn::If": ["IsProduction", granted, {"Ref": "AWS::NoValue"}]}:
            return dict(granted)
    return statement


@pytest.mark.parametrize("name", sorted(ROLES))
def test_a_role_may_do_the_same_in_a_joined_account_as_in_the_hubs(name: str) -> None:
    """All but one thing: another account's role needs the hub's key by its own policy as well as by the key's."""
    here, there = resources("AWS::IAM::Role")[name], joined("AWS::IAM::Role")[name]
    granted = [in_production(one) for one in statements(there)]
    key = [one for one in granted if one.get("Resource") == {"Ref": "KeyArn"}]
    assert [one for one in granted if one not in key] == statements(here)
    assert {action.partition(":")[0] for one in key for action in texts_in(one["Action"])} == (
        {"kms"} if name in FOR_SAGEMAKER else set()
    )


@pytest.mark.parametrize("name", sorted(ROLES))
def test_a_role_of_a_joined_account_trusts_the_hubs_functions_as_the_hubs_own_does(name: str) -> None:
    here = resources("AWS::IAM::Role")[name]["AssumeRolePolicyDocument"]
    there = joined("AWS::IAM::Role")[name]["AssumeRolePolicyDocument"]

    def renamed(document: Any) -> Any:
        if isinstance(document, dict):
            return {key: renamed(part) for key, part in document.items()}
        if isinstance(document, list):
            return [renamed(part) for part in document]
        if not isinstance(document, str) or name in FOR_SAGEMAKER:
            return document
        return document.replace("${AWS::AccountId}", "${HubAccount}").replace("${AWS::StackName}", "${HubStackName}")

    assert there == renamed(here)


@pytest.mark.parametrize("name", sorted(ROLES))
def test_the_hub_names_a_role_of_a_joined_account_as_that_account_does(name: str) -> None:
    assert joined("AWS::IAM::Role")[name]["RoleName"] == {"Fn::Sub": ROLES[name]}
    named = ROLES[name].removeprefix("${HubStackName}")
    kinds = ("staging", "production") if "${Kind}" in named else ("",)
    for kind in kinds:
        ending = named.replace("${Kind}", kind)
        account = next(one for one in ("Registry", "Staging", "Production") if one.lower() in ending)
        arn = f"arn:${{AWS::Partition}}:iam::${{{account}Account}}:role/${{AWS::StackName}}{ending}"
        assert arn in texts_in(template()), arn


def test_joined_accounts_forward_what_the_hub_forwards_from_its_own_bus() -> None:
    """Executions excepted: releases run in the hub alone."""
    own = resources("AWS::Events::Rule")["ForwardRule"]["EventPattern"]
    pattern = joined("AWS::Events::Rule")["ForwardRule"]["EventPattern"]
    _, registry, endpoints = pattern["detail-type"]["Fn::If"]
    # Some of it in production alone; of drift, whoever looks tells it where they are.
    heard = {one["Fn::If"][1] if isinstance(one, dict) else one for one in registry + endpoints}
    assert sorted(heard) == sorted(own["detail-type"])
    _, registry, endpoints = pattern["source"]["Fn::If"]
    assert {one["Fn::If"][1] if isinstance(one, dict) else one for one in registry + endpoints} == set(own["source"])


def test_what_a_joined_account_cannot_deliver_has_a_queue_with_an_alarm() -> None:
    (target,) = joined("AWS::Events::Rule")["ForwardRule"]["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}
    assert target["RoleArn"] == {"Fn::GetAtt": ["ForwardRole", "Arn"]}
    sender, reader = joined("AWS::SQS::QueuePolicy")["DeadLettersPolicy"]["PolicyDocument"]["Statement"]
    assert sender["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["ForwardRule", "Arn"]}}}
    assert reader["Principal"] == {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${HubAccount}:root"}}
    assert joined("AWS::SQS::Queue")["DeadLetters"]["QueueName"] == {"Fn::Sub": "${HubStackName}-${Kind}-dead-letters"}
    here, there = resources("AWS::CloudWatch::Alarm"), joined("AWS::CloudWatch::Alarm")
    changed = {"AlarmDescription", "AlarmActions"}
    assert {key: value for key, value in there["DeadLettersAlarm"].items() if key not in changed} == {
        key: value for key, value in here["DeadLettersAlarm"].items() if key not in changed
    }
    assert there["DeadLettersAlarm"]["AlarmActions"] == [{"Ref": "BroadcastTopicArn"}]


def test_a_joined_account_asks_for_nothing_that_the_hub_does_not_tell() -> None:
    required = {name for name, one in JOINED["Parameters"].items() if "Default" not in one}
    assert required - set(HUB_OUTPUTS.values()) == {"Kind", "HubAccount", "ExternalId"}
    assert set(HUB_OUTPUTS) <= set(template()["Outputs"])


def test_no_arn_has_a_literal_partition_or_account() -> None:
    text = (PROJECT / "environments" / "account.yaml").read_text()
    assert re.findall(r"arn:aws[\w-]*:|\b\d{12}\b", text) == []


@pytest.mark.parametrize("document", [JOINED, template()], ids=["joined", "hub"])
def test_the_role_that_endpoints_run_under_outlives_its_stack_but_not_one_that_never_came_up(document: Any) -> None:
    role = document["Resources"]["EndpointExecutionRole"]
    assert (role["DeletionPolicy"], role["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
