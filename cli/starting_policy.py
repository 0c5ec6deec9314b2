"""A first policy for a group whose endpoint is there already: what is deployed, read once and written as YAML."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import yaml
from botocore.exceptions import ClientError
from lockkeeper.domain.deployed import Deployed, why_not_taken_on
from lockkeeper.domain.gate_rules import direction_of
from lockkeeper.domain.policy import parse_policy

from cli.problems import CommandRefused

if TYPE_CHECKING:
    import boto3

PREFERRED_METRICS = (
    "binary_classification_metrics.auc.value",
    "binary_classification_metrics.accuracy.value",
    "multiclass_classification_metrics.accuracy.value",
    "regression_metrics.mae.value",
    "regression_metrics.rmse.value",
)
"""What a first quality rule is written on, the first of them that the newest version's report has."""

HEAD = """\
# The first policy of {group}, from what endpoint {endpoint} runs ({config}).
# In this mode releases are judged and reported, and nothing is deployed: watch some, mend the rules, then set
# mode: enforce. Every key is explained in docs/policy-reference.md.
"""


def look(endpoint_name: str, session: boto3.Session) -> Deployed:
    """Describe an endpoint.

    Raises:
        CommandRefused: there is none, or it is of a kind that Lockkeeper does not deploy.
    """
    sagemaker = session.client("sagemaker")
    try:
        endpoint = sagemaker.describe_endpoint(EndpointName=endpoint_name)
    except ClientError as error:
        if "could not find" in error.response["Error"]["Message"].lower():
            place = sagemaker.meta.region_name
            cure = "look at `aws sagemaker list-endpoints` with the credentials of the production account"
            raise CommandRefused(f"there is no endpoint {endpoint_name} in {place}", cure=cure) from error
        raise
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    names = [variant.get("ModelName") for variant in config["ProductionVariants"]]
    model = sagemaker.describe_model(ModelName=names[0]) if len(names) == 1 and names[0] else {}
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=endpoint["EndpointArn"])
    tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
    deployed = Deployed(endpoint, config, model, tags)
    refuse_what_is_not_deployed(deployed)
    return deployed


def refuse_what_is_not_deployed(deployed: Deployed) -> None:
    """CommandRefused for an endpoint that a policy cannot describe, with what it is instead."""
    if found := why_not_taken_on(deployed):
        cure = "name a real-time endpoint of one variant with one model that is InService"
        raise CommandRefused(f"endpoint {deployed.name} cannot be taken on: {'; '.join(found)}", cure=cure)


def metric_of(group: str, session: boto3.Session) -> str | None:
    """A metric of the newest version's model-quality report that a first rule can be written on; None where none is found."""
    sagemaker = session.client("sagemaker")
    try:
        pages = sagemaker.list_model_packages(
            ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"
        )
        for one in pages["ModelPackageSummaryList"]:
            package = sagemaker.describe_model_package(ModelPackageName=one["ModelPackageArn"])
            statistics = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {}).get("S3Uri", "")
            bucket, _, key = statistics.removeprefix("s3://").partition("/")
            if key:
                report = json.loads(session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
                return next((metric for metric in PREFERRED_METRICS if is_in(report, metric)), None)
    except (ClientError, ValueError):
        # The group is another account's, or the report is gone: whoever runs this names the metric.
        return None
    return None


def is_in(report: object, metric: str) -> bool:
    """Whether a report has a value at this path."""
    for part in metric.split("."):
        report = report.get(part) if isinstance(report, dict) else None
    return isinstance(report, int | float)


def refuse_without_a_direction(metric: str, better: str | None) -> None:
    """CommandRefused for a metric of one's own that a version could not be compared by."""
    if metric and better is None and direction_of(metric) is None:
        raise CommandRefused(
            f"nobody knows which values of {metric} are better", cure="say it: --better higher or --better lower"
        )


def policy_for(
    group: str,
    deployed: Deployed,
    metric: str,
    approvers: tuple[tuple[str, str], ...] = (),
    better: str | None = None,
) -> str:
    """The policy's text: valid, in `mode: observe`. `approvers` are names with e-mail addresses; `better` is higher or lower."""
    config, variant = deployed.config, deployed.variant
    head = HEAD.format(group=group, endpoint=deployed.endpoint["EndpointName"], config=config["EndpointConfigName"])
    remarks = "".join(f"# {remark}\n" for remark in remarks_on(deployed))
    people = "".join(f"    - {{name: {quoted(name)}, email: {quoted(mail)}}}\n" for name, mail in approvers)
    rule = f"metric: {metric}, no_worse_than_champion_by: 0.01" + (f", better: {better}" if better else "")
    asked = (
        f"  before: [production]\n  approvers:\n{people}"
        if people
        else ("  # Nobody is asked. Name approvers, and set before: [production].\n  before: []\n")
    )
    text = f"""\
{head}{remarks}model_package_group: {group}
mode: observe

gates:
  quality:
    # Add a bound, such as at_least or at_most, once you know what is good enough.
    - {{{rule}}}

approval:
{asked}
staging:
  instance_type: {variant["InstanceType"]}

production:
  endpoint_name: {deployed.endpoint["EndpointName"]}
  instance_type: {variant["InstanceType"]}
  initial_instances: {variant["InitialInstanceCount"]}
  execution_role_arn: {deployed.model["ExecutionRoleArn"]}
  strategy:
    bake: 1h
"""
    parse_policy(text, source="the new policy")
    return text


def quoted(text: str) -> str:
    """A text in quotation marks, as YAML reads it: JSON's escapes of what is beyond U+FFFF are no characters there."""
    return str(yaml.safe_dump(text, default_style='"', allow_unicode=True, width=sys.maxsize)).rstrip("\n")


def remarks_on(deployed: Deployed) -> list[str]:
    """What a person should know of an endpoint before Lockkeeper updates it."""
    remarks = []
    if deployed.stack:
        remarks.append(
            f"The endpoint belongs to CloudFormation stack {deployed.stack}, whose next deployment would undo a release: "
            "take it out of that stack first, as docs/adopting.md says, then `lockkeeper adopt` it with --take-over."
        )
    containers = deployed.model.get("Containers") or [deployed.model.get("PrimaryContainer", {})]
    variables = sorted({name for one in containers for name in one.get("Environment", {})})
    if variables:
        remarks.append(
            f"The model's environment has {', '.join(variables)}; a version brings its own, production.environment adds."
        )
    return remarks
