"""What the look into the production account makes of AWS's answers, refusals among them, and how what it keeps is created."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY
from lockkeeper.adapters.production_look import AwsProductionLook
from lockkeeper.domain.hosting import Hosting
from lockkeeper.domain.model_package import Served
from lockkeeper.domain.targets import Fleet

from tests.contract.test_adapters_on_stubs import ACCOUNT, ARN, REGION, SINCE, StubbedSession, endpoints_on, refuse

CONFIG_ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint-config/by-hand"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/models"
TIMES = {"CreationTime": SINCE, "LastModifiedTime": SINCE}


@pytest.fixture
def session() -> StubbedSession:
    return StubbedSession()


@pytest.fixture
def look(session: StubbedSession) -> AwsProductionLook:
    return AwsProductionLook(lambda: session)  # type: ignore[arg-type, return-value]


def describe(session: StubbedSession, variants: list[dict[str, object]]) -> None:
    stub = session.stub("sagemaker")
    endpoint = {"EndpointName": "wages", "EndpointArn": ARN, "EndpointConfigName": "by-hand", **TIMES}
    stub.add_response("describe_endpoint", {**endpoint, "EndpointStatus": "InService"}, {"EndpointName": "wages"})
    config = {"EndpointConfigName": "by-hand", "EndpointConfigArn": CONFIG_ARN, "CreationTime": SINCE}
    stub.add_response(
        "describe_endpoint_config", {**config, "ProductionVariants": variants}, {"EndpointConfigName": "by-hand"}
    )


def tags(session: StubbedSession) -> None:
    for arn, value in ((ARN, "endpoint"), (CONFIG_ARN, "config")):
        answer = {"Tags": [{"Key": "of", "Value": value}]}
        session.stub("sagemaker").add_response("list_tags", answer, {"ResourceArn": arn})


def test_an_endpoint_is_told_with_configuration_model_and_tags(
    session: StubbedSession, look: AwsProductionLook
) -> None:
    describe(session, [{"VariantName": "primary", "ModelName": "m", "InstanceType": "ml.m5.large"}])
    model = {"ModelName": "m", "ModelArn": "m" * 20, "CreationTime": SINCE}
    session.stub("sagemaker").add_response("describe_model", model, {"ModelName": "m"})
    tags(session)
    found = look.deployed("wages")
    assert found is not None
    assert (found.name, found.config_name, found.model["ModelName"]) == ("wages", "by-hand", "m")
    assert (found.tags, found.config_tags) == ({"of": "endpoint"}, {"of": "config"})
    assert "ResponseMetadata" not in found.described


@pytest.mark.parametrize(
    "variants",
    [[{"VariantName": "a"}], [{"VariantName": "a", "ModelName": "m"}, {"VariantName": "b", "ModelName": "n"}]],
)
def test_an_endpoint_without_one_model_is_told_without_it(
    session: StubbedSession, look: AwsProductionLook, variants: list[dict[str, object]]
) -> None:
    describe(session, variants)
    tags(session)
    found = look.deployed("wages")
    assert found is not None
    assert found.model == {}


def test_an_endpoint_that_is_not_there_is_none(session: StubbedSession, look: AwsProductionLook) -> None:
    refuse(session, "describe_endpoint", "ValidationException", f'Could not find endpoint "{ARN}".')
    assert look.deployed("wages") is None
    refuse(session, "describe_endpoint", "AccessDeniedException", "not authorized")
    with pytest.raises(ClientError):
        look.deployed("wages")


def test_a_role_is_told_by_its_trust_is_missing_or_not_to_be_seen(
    session: StubbedSession, look: AwsProductionLook
) -> None:
    role = {"Path": "/", "RoleName": "models", "RoleId": "A" * 16, "Arn": ROLE, "CreateDate": SINCE}
    trust = "%7B%22Service%22%3A%20%22sagemaker.amazonaws.com%22%7D"
    stub = session.stub("iam")
    stub.add_response("get_role", {"Role": {**role, "AssumeRolePolicyDocument": trust}}, {"RoleName": "models"})
    assert "sagemaker.amazonaws.com" in (look.role_trust(ROLE) or "")
    refuse(session, "get_role", "NoSuchEntity", "no such role", "iam")
    assert look.role_trust(ROLE) == ""
    refuse(session, "get_role", "AccessDenied", "not authorized", "iam")
    assert look.role_trust(ROLE) is None
    refuse(session, "get_role", "Throttling", "slow down", "iam")
    with pytest.raises(ClientError):
        look.role_trust(ROLE)


def test_a_key_is_told_by_its_state_is_missing_or_not_to_be_seen(
    session: StubbedSession, look: AwsProductionLook
) -> None:
    answer = {"KeyMetadata": {"KeyId": "k", "KeyState": "PendingDeletion"}}
    session.stub("kms").add_response("describe_key", answer, {"KeyId": "k"})
    assert look.key_state("k") == "PendingDeletion"
    refuse(session, "describe_key", "NotFoundException", "no such key", "kms")
    assert look.key_state("k") == ""
    refuse(session, "describe_key", "AccessDeniedException", "not authorized", "kms")
    assert look.key_state("k") is None


def test_what_a_role_may_is_told_or_not_to_be_asked(session: StubbedSession, look: AwsProductionLook) -> None:
    stub, operation = session.stub("iam"), "simulate_principal_policy"
    asked = {"PolicySourceArn": ROLE, "ActionNames": ["s3:GetObject"], "ResourceArns": ["arn:aws:s3:::b/x"]}
    for decision, may in (("allowed", True), ("implicitDeny", False), ("explicitDeny", False)):
        result = {"EvalActionName": "s3:GetObject", "EvalDecision": decision}
        stub.add_response(operation, {"EvaluationResults": [result]}, asked)
        assert look.may(ROLE, "s3:GetObject", "arn:aws:s3:::b/x") is may
    for code in ("NoSuchEntity", "AccessDenied", "InvalidInput"):
        refuse(session, operation, code, "no", "iam")
        assert look.may(ROLE, "s3:GetObject", "arn:aws:s3:::b/x") is None
    refuse(session, operation, "Throttling", "slow down", "iam")
    with pytest.raises(ClientError):
        look.may(ROLE, "s3:GetObject", "arn:aws:s3:::b/x")


def test_quotas_are_told_by_their_names_or_not_at_all(session: StubbedSession, look: AwsProductionLook) -> None:
    name = "ml.m5.large for endpoint usage"
    stub, asked = session.stub("service-quotas"), {"ServiceCode": "sagemaker"}
    stub.add_response("list_service_quotas", {"Quotas": [{"QuotaName": name, "Value": 4.0}]}, asked)
    assert look.quotas() == {name: 4.0}
    refuse(session, "list_service_quotas", "AccessDeniedException", "not authorized", "service-quotas")
    assert look.quotas() is None


def test_what_is_kept_of_production_is_created_with_it(session: StubbedSession) -> None:
    endpoints = endpoints_on(session)
    stub, arn = session.stub("sagemaker"), f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:"
    vpc = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 20,
        "DestinationS3Uri": "s3://captured/wages",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    hosting = Hosting(
        variant="primary",
        variant_settings={"VolumeSizeInGB": 30},
        kms_key="alias/ours",
        capture=capture,
        vpc=vpc,
        network_isolation=True,
        tags={"team": "wages"},
    )
    tags = [{"Key": "team", "Value": "wages"}, {"Key": "lockkeeper:release", "Value": "wages-v1-a1"}]
    container = {"Image": "i@sha256:1", "ModelDataUrl": "s3://b/artifacts/x/model.tar.gz"}
    role = f"arn:aws:iam::{ACCOUNT}:role/execution"
    model = {"ModelName": "m", "PrimaryContainer": ANY, "ExecutionRoleArn": role, "Tags": tags}
    stub.add_response(
        "create_model", {"ModelArn": f"{arn}model/m"}, {**model, "VpcConfig": vpc, "EnableNetworkIsolation": True}
    )
    variant = {
        "VolumeSizeInGB": 30,
        "VariantName": "primary",
        "ModelName": "m",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1.0,
    }
    config = {"EndpointConfigName": "c", "ProductionVariants": [variant], "Tags": tags}
    stub.add_response(
        "create_endpoint_config",
        {"EndpointConfigArn": f"{arn}endpoint-config/c"},
        {**config, "KmsKeyId": "alias/ours", "DataCaptureConfig": capture},
    )
    ours = {"lockkeeper:release": "wages-v1-a1"}
    served = (Served(container["Image"], container["ModelDataUrl"], {}),)
    endpoints.create_model("m", containers=served, role_arn=role, hosting=hosting, tags=ours)
    endpoints.create_config("c", model="m", fleet=Fleet("ml.m5.large", 1), hosting=hosting, tags=ours)
    stub.assert_no_pending_responses()
