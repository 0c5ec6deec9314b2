"""What SageMaker is asked for a shadow: the champion's configuration as it is, and the candidate beside it."""

from __future__ import annotations

import pytest
from lockkeeper.domain.hosting import Hosting
from lockkeeper.domain.targets import Fleet
from lockkeeper.settings import SettingMissing, Settings

from tests.contract.test_adapters_on_stubs import ACCOUNT, REGION, SINCE, StubbedSession, endpoints_on

ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint-config"
CHAMPION = {
    "VariantName": "primary",
    "ModelName": "champion",
    "InstanceType": "ml.c5.xlarge",
    "InitialInstanceCount": 3,
    "InitialVariantWeight": 2.0,
    "ContainerStartupHealthCheckTimeoutInSeconds": 300,
}
KEY = "arn:aws:kms:eu-central-1:444455556666:key/k"


def test_a_shadow_keeps_the_champions_variant_and_captures_both() -> None:
    session = StubbedSession()
    endpoints, stub = endpoints_on(session), session.stub("sagemaker")
    served = {
        "EndpointConfigName": "before",
        "EndpointConfigArn": f"{ARN}/before",
        "CreationTime": SINCE,
        "ProductionVariants": [CHAMPION],
        "KmsKeyId": KEY,
        "DataCaptureConfig": {
            "EnableCapture": True,
            "InitialSamplingPercentage": 5,
            "DestinationS3Uri": "s3://team/captured",
            "CaptureOptions": [{"CaptureMode": "Input"}],
        },
    }
    stub.add_response("describe_endpoint_config", served, {"EndpointConfigName": "before"})
    shadow = {
        "VariantName": "Shadow",
        "ModelName": "candidate",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 2,
        "InitialVariantWeight": 1.0,
        "ContainerStartupHealthCheckTimeoutInSeconds": 300,
    }
    wanted = {
        "EndpointConfigName": "beside",
        "ProductionVariants": [CHAMPION],
        "ShadowProductionVariants": [shadow],
        "KmsKeyId": KEY,
        "DataCaptureConfig": {
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": "s3://ours/captured/shadows/r",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
        },
        "Tags": [{"Key": "team", "Value": "wages"}, {"Key": "lockkeeper:release", "Value": "r"}],
    }
    stub.add_response("create_endpoint_config", {"EndpointConfigArn": f"{ARN}/beside"}, wanted)
    hosting = Hosting(
        variant="primary",
        variant_settings={"ContainerStartupHealthCheckTimeoutInSeconds": 300},
        tags={"team": "wages"},
    )
    endpoints.create_shadow(
        "beside",
        beside="before",
        percent=50,
        model="candidate",
        fleet=Fleet("ml.m5.large", 2),
        hosting=hosting,
        to="s3://ours/captured/shadows/r",
        tags={"lockkeeper:release": "r"},
    )
    stub.assert_no_pending_responses()


def test_the_function_that_deadlines_call_knows_its_own_arn() -> None:
    variables = {
        "SCHEDULE_TARGET_ARN": "itself",
        "PRODUCTION_ROLE_ARN": "arn:aws-cn:iam::333333333333:role/lockkeeper-production-deploy",
        "AWS_REGION": "cn-north-1",
        "HUB_ACCOUNT": "111111111111",
        "AWS_LAMBDA_FUNCTION_NAME": "lockkeeper-ResumeRelease-1",
    }
    own = "arn:aws-cn:lambda:cn-north-1:111111111111:function:lockkeeper-ResumeRelease-1"
    assert Settings(variables).schedule_target_arn == own
    given = {**variables, "SCHEDULE_TARGET_ARN": "arn:aws:lambda:eu-central-1:1:function:another"}
    assert Settings(given).schedule_target_arn == given["SCHEDULE_TARGET_ARN"]
    with pytest.raises(SettingMissing, match="AWS_LAMBDA_FUNCTION_NAME"):
        _ = Settings({name: value for name, value in variables.items() if "LAMBDA" not in name}).schedule_target_arn
