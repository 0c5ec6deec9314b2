"""SageMaker resources in a CloudFormation template."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.deploy import deploy

pytestmark = pytest.mark.full


def test_a_template_creates_and_removes_a_model_package_group(cloud: Any, unique: str, tmp_path: Path) -> None:
    name = unique[:40]
    properties = {"ModelPackageGroupName": name, "ModelPackageGroupDescription": "of a template"}
    resource = {"Type": "AWS::SageMaker::ModelPackageGroup", "Properties": properties}
    template = {"Resources": {"Group": resource}, "Outputs": {"Arn": {"Value": {"Ref": "Group"}}}}
    path = tmp_path / "template.yaml"
    path.write_text(json.dumps(template))
    outputs = deploy(cloud.running.endpoint_url, name, template=path)
    sagemaker = cloud.client("sagemaker")
    group = sagemaker.describe_model_package_group(ModelPackageGroupName=name)
    assert group["ModelPackageGroupArn"] == outputs["Arn"]
    assert group["ModelPackageGroupDescription"] == "of a template"
    stacks = cloud.client("cloudformation")
    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    with pytest.raises(ClientError):
        sagemaker.describe_model_package_group(ModelPackageGroupName=name)


def test_a_template_creates_and_updates_a_pipeline(cloud: Any, stack: str, tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    for reason in ("first", "second"):
        fail = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": reason}}
        body = {"Version": "2020-12-01", "Parameters": [], "Steps": [fail]}
        properties = {
            "PipelineName": stack,
            "RoleArn": cloud.outputs["RoleArn"],
            "PipelineDefinition": {"PipelineDefinitionBody": json.dumps(body)},
        }
        resource = {"Type": "AWS::SageMaker::Pipeline", "Properties": properties}
        path.write_text(json.dumps({"Resources": {"Train": resource}, "Outputs": {"N": {"Value": {"Ref": "Train"}}}}))
        assert deploy(cloud.running.endpoint_url, stack, template=path) == {"N": stack}
        described = cloud.client("sagemaker").describe_pipeline(PipelineName=stack)
        assert json.loads(described["PipelineDefinition"]) == body
