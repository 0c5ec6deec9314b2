"""Every rule of the templates as EventBridge gets it: translated, with parameters and conditions resolved by the emulator's own engine."""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import eventbridge
from ministack.services.cloudformation import engine
from samtranslator.yaml_helper import yaml_parse

from checks.translate import translate
from tests.template.project import PROJECT

REGION = "us-east-1"
HUB = "111122223333"
REGISTRY, STAGING, PRODUCTION = "222233334444", "333344445555", "444455556666"
STRANGER = "999988887777"
MACHINE = f"arn:aws:states:{REGION}:{HUB}:stateMachine:lockkeeper-release"

PLACES = ("template.yaml", "environments/account.yaml")
"""The templates; the second is that of a joined account."""

GIVEN = {"ExternalId": "an-external-id-of-the-tests"}
"""Parameters of the hub's template that have no default."""

GIVEN_TO_JOINED = {
    **GIVEN,
    "HubAccount": HUB,
    "Bucket": "lockkeeper-bucket",
    "KeyArn": f"arn:aws:kms:{REGION}:{HUB}:key/1234",
    "BroadcastTopicArn": f"arn:aws:sns:{REGION}:{HUB}:lockkeeper-broadcast",
}
"""The same of a joined account's template."""

Pattern = dict[str, Any]


@dataclass(frozen=True)
class Rule:
    """One rule of one deployment: `where` says which template and parameters, `function` is whom it calls (None: another bus)."""

    where: str
    name: str
    pattern: Pattern
    account: str
    on_own_bus: bool
    function: str | None

    @property
    def hears(self) -> str:
        """An account whose events it may hear."""
        accounts = self.pattern.get("account", [self.account])
        return str(accounts[0])

    @property
    def id(self) -> str:
        return f"{self.where}: {self.name}"

    def matches(self, event: Mapping[str, Any]) -> bool:
        """What EventBridge's TestEventPattern says. Raises AssertionError when it refuses the pattern or the event."""
        return self.matches_text(json.dumps(event))

    def matches_text(self, event: str) -> bool:
        """The same of an event as text, which many rules are asked about."""
        request = {"EventPattern": json.dumps(self.pattern), "Event": event}
        with request_scope(self.account, REGION):
            status, _, body = eventbridge._test_event_pattern(request)
        assert status == 200, f"{self.id}: {body!r}"
        result: bool = json.loads(body)["Result"]
        return result


@dataclass(frozen=True)
class Deployment:
    """A template deployed to an account with these parameters."""

    where: str
    template: str
    account: str
    parameters: Mapping[str, str]

    def rules(self) -> list[Rule]:
        """Its rules, in the order of the template."""
        return list(_rules(self))


def hub_alone() -> Deployment:
    """Everything in one account."""
    return Deployment("one account", PLACES[0], HUB, GIVEN)


def hub_of_four() -> Deployment:
    """The hub, with the registry, staging and production in accounts of their own."""
    joined = {"RegistryAccount": REGISTRY, "StagingAccount": STAGING, "ProductionAccount": PRODUCTION}
    return Deployment("hub of four", PLACES[0], HUB, {**GIVEN, **joined})


def joined_accounts() -> list[Deployment]:
    """The stack of a joined account, once for every kind that it can be."""
    accounts = {"registry": REGISTRY, "staging": STAGING, "production": PRODUCTION}
    kinds = _translated(PLACES[1])["Parameters"]["Kind"]["AllowedValues"]
    return [
        Deployment(f"joined as {kind}", PLACES[1], accounts[kind], {**GIVEN_TO_JOINED, "Kind": kind}) for kind in kinds
    ]


def deployments() -> list[Deployment]:
    return [hub_alone(), hub_of_four(), *joined_accounts()]


@cache
def _translated(place: str) -> dict[str, Any]:
    template: dict[str, Any] = yaml_parse((PROJECT / place).read_text())
    return translate(template) if "Transform" in template else template


def _rules(deployment: Deployment) -> Iterator[Rule]:
    template = copy.deepcopy(_translated(deployment.template))
    with request_scope(deployment.account, REGION):
        parameters = engine._resolve_parameters(
            template, [{"Key": name, "Value": value} for name, value in deployment.parameters.items()]
        )
        conditions = engine._evaluate_conditions(template, parameters)
        resources = _provisioned(template, deployment.account)
        for name, resource in template["Resources"].items():
            if resource["Type"] != "AWS::Events::Rule" or not conditions.get(resource.get("Condition", ""), True):
                continue
            properties = engine._resolve_refs(
                resource["Properties"], resources, parameters, conditions, {}, "lockkeeper", "arn:aws:cloudformation:::"
            )
            if "EventPattern" in properties:
                yield Rule(
                    deployment.where,
                    name,
                    properties["EventPattern"],
                    deployment.account,
                    properties.get("EventBusName", "default") != "default",
                    _function_of(resource["Properties"]["Targets"], template),
                )


def _provisioned(template: Mapping[str, Any], account: str) -> dict[str, dict[str, Any]]:
    """The resources as after their creation: the state machine by its ARN, the rest by names made of their logical ids."""
    return {
        name: {
            "PhysicalResourceId": MACHINE if one["Type"] == "AWS::StepFunctions::StateMachine" else name,
            "Attributes": _Attributes(lambda name=name: f"arn:aws:any:{REGION}:{account}:{name}"),
        }
        for name, one in template["Resources"].items()
    }


class _Attributes(defaultdict[str, str]):
    """Any attribute of a resource."""

    def __contains__(self, _name: object) -> bool:
        return True


def _function_of(targets: list[dict[str, Any]], template: Mapping[str, Any]) -> str | None:
    """The logical id of the function that a rule calls; None where it forwards to a bus."""
    (target,) = targets
    arn = target["Arn"]
    name = arn.get("Fn::GetAtt", [""])[0] if isinstance(arn, dict) else ""
    called = template["Resources"].get(name, {}).get("Type") == "AWS::Lambda::Function"
    return name if called else None
