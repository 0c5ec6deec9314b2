"""parliament on every policy of the translated templates, with names in place of what only a deployment knows.

`python checks/policies.py TEMPLATE...` needs no AWS. Before it believes that nothing is wrong, it shows parliament a policy in which
something is.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import parliament
from samtranslator.yaml_helper import yaml_parse

Document = dict[str, Any]

PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "111122223333",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "lockkeeper",
}
ARNS = {
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:us-east-1:111122223333:table/{}",
    "AWS::S3::Bucket": "arn:aws:s3:::{}",
    "AWS::Events::EventBus": "arn:aws:events:us-east-1:111122223333:event-bus/{}",
    "AWS::Events::Rule": "arn:aws:events:us-east-1:111122223333:rule/{}",
    "AWS::SQS::Queue": "arn:aws:sqs:us-east-1:111122223333:{}",
    "AWS::SNS::Topic": "arn:aws:sns:us-east-1:111122223333:{}",
    "AWS::IAM::Role": "arn:aws:iam::111122223333:role/{}",
    "AWS::KMS::Key": "arn:aws:kms:us-east-1:111122223333:key/{}",
    "AWS::Lambda::Function": "arn:aws:lambda:us-east-1:111122223333:function:{}",
    "AWS::StepFunctions::StateMachine": "arn:aws:states:us-east-1:111122223333:stateMachine:{}",
}
REF_IS_ARN = ("AWS::SNS::Topic", "AWS::StepFunctions::StateMachine")
RESOURCE_POLICIES = {
    "AWS::SQS::QueuePolicy": "PolicyDocument",
    "AWS::SNS::TopicPolicy": "PolicyDocument",
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::KMS::Key": "KeyPolicy",
}
TWO_KINDS = "needs two kinds of resources, which have a statement each; parliament wants both in one"
ACCEPTED = {
    ("RESOURCE_MISMATCH", "sagemaker:CreateEndpoint"): TWO_KINDS,
    ("RESOURCE_MISMATCH", "sagemaker:UpdateEndpoint"): TWO_KINDS,
    ("RESOURCE_MISMATCH", "states:DescribeExecution"): "parliament asks for executions of express machines too",
    ("RESOURCE_STAR", "cloudwatch:DescribeAlarms"): "AWS tells of composite alarms only who may describe every alarm",
    ("RESOURCE_STAR", "cloudwatch:DescribeAlarmHistory"): "as for DescribeAlarms",
}
"""Findings that are left out, with the reason of each."""

WRONG = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a-bucket-and-no-object"}],
}
"""A policy that grants nothing: the action is about objects, the resource is a bucket."""


class Names:
    """What Ref, Fn::GetAtt and Fn::Sub stand for, with a name for everything that only a deployment knows."""

    def __init__(self, template: Document) -> None:
        self._kinds = {name: resource["Type"] for name, resource in template["Resources"].items()}
        self._parameters = template.get("Parameters", {})

    def resolve(self, value: Any) -> Any:
        """The value with every intrinsic function replaced; of a condition, the branch for true."""
        if isinstance(value, list):
            found = [self.resolve(one) for one in value]
            return [one for one in found if one is not None]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref":
                return self._ref(argument)
            if function == "Fn::GetAtt":
                return self._attribute(*(argument if isinstance(argument, list) else argument.split(".", 1)))
            if function == "Fn::Sub":
                return re.sub(r"\$\{([^}]+)\}", lambda found: self._in_text(found.group(1)), argument)
            if function == "Fn::If":
                return self.resolve(argument[1])
        return {key: self.resolve(one) for key, one in value.items()}

    def _in_text(self, name: str) -> str:
        return self._attribute(*name.split(".", 1)) if "." in name else str(self._ref(name) or "")

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return None
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self._parameters:
            return self._parameter(self._parameters[name])
        return self._attribute(name, "Arn") if self._kinds.get(name) in REF_IS_ARN else name.lower()

    def _parameter(self, parameter: Document) -> Any:
        if parameter["Type"] == "CommaDelimitedList":
            return ["arn:aws:iam::111122223333:role/named-by-a-parameter"]
        if ":secretsmanager:" in str(parameter.get("AllowedPattern", "")):
            return "arn:aws:secretsmanager:us-east-1:111122223333:secret:named-by-a-parameter-AbCdEf"
        if str(parameter.get("AllowedPattern", "")).startswith("arn:"):
            return (
                parameter["AllowedPattern"].replace(r"[\w-]+", "aws").replace(".+", "us-east-1:111122223333:key/given")
            )
        default = str(parameter.get("Default", "111122223333"))
        return "111122223333" if default == "this-account" else default or "a-parameter"

    def _attribute(self, name: str, _attribute: str) -> str:
        return ARNS.get(self._kinds.get(name, ""), "{}").format(name.lower())


def policies_in(template: Document) -> Iterator[tuple[str, Document]]:
    """Every policy of a template with the logical id that it belongs to, resolved."""
    names = Names(template)
    for logical_id, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::Role":
            for policy in properties.get("Policies", []):
                yield logical_id, names.resolve(policy["PolicyDocument"])
        elif resource["Type"] in RESOURCE_POLICIES:
            yield logical_id, names.resolve(properties[RESOURCE_POLICIES[resource["Type"]]])


def findings(document: Document, *, of_a_key: bool = False) -> list[str]:
    """What parliament says about a policy, in one line each, without what is accepted."""
    analyzed = parliament.analyze_policy_string(json.dumps(document))
    return [
        f"{finding.issue}: {finding.detail}"
        for finding in analyzed.findings
        # In a key's policy `*` is the key.
        if not (_accepted(finding) or (of_a_key and finding.issue == "RESOURCE_STAR"))
    ]


def _accepted(finding: Any) -> bool:
    about = finding.detail if isinstance(finding.detail, list) else []
    actions = [one["action"] if isinstance(one, dict) else one for one in about]
    return bool(actions) and all((finding.issue, action) in ACCEPTED for action in actions)


def main(paths: list[Path]) -> int:
    """Print every finding; 1 when there is one, or when parliament finds nothing in a policy that is wrong."""
    if not findings(WRONG):
        print("parliament finds nothing in a policy that is wrong", file=sys.stderr)
        return 1
    count = problems = 0
    for path in paths:
        template = yaml_parse(path.read_text())
        for logical_id, document in policies_in(template):
            count += 1
            of_a_key = template["Resources"][logical_id]["Type"] == "AWS::KMS::Key"
            for finding in findings(document, of_a_key=of_a_key):
                problems += 1
                print(f"{path.name}: {logical_id}: {finding}", file=sys.stderr)
    print(f"parliament: {problems} findings in {count} policies")
    return 1 if problems or not count else 0


if __name__ == "__main__":
    sys.exit(main([Path(argument) for argument in sys.argv[1:]]))
