"""SageMaker resources in a CloudFormation template."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.deploy import deploy


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
