"""The parameter that tells jobs of the champion: one suite for Systems Manager and SageMaker (on moto) and for the same in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

import boto3
import pytest
from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.adapters.in_memory.endpoints import InMemoryEndpoints
from lockkeeper.adapters.in_memory.messages import SettableClock
from lockkeeper.adapters.production_look import AwsProductionLook
from lockkeeper.adapters.sagemaker_endpoints import SageMakerEndpoints
from lockkeeper.domain.errors import DeploymentFailed, TryAgain
from lockkeeper.domain.hosting import Hosting
from lockkeeper.domain.model_package import Served
from lockkeeper.domain.policy import Policy
from lockkeeper.domain.release import MODEL_PACKAGE_TAG, RELEASE_TAG
from lockkeeper.domain.rollout import EndpointState
from lockkeeper.ports import Endpoints
from lockkeeper.settings import Environment
from moto import mock_aws

from cli.doctor import State, look_at_endpoint
from cli.stack import Stack
from tests.contract.test_adapters_on_stubs import StubbedSession, endpoints_on, refuse
from tests.unit.scoring import batch_document

ACCOUNT, REGION = "123456789012", "eu-central-1"
PARAMETER = "/lockkeeper/wages/champion"
PARAMETER_ARN = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{PARAMETER}"
FIRST, SECOND = "lockkeeper-wages-v1-a1-production", "lockkeeper-wages-v2-a1-production"
PACKAGE = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/wages"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/models"


@pytest.fixture
def aws() -> Iterator[boto3.Session]:
    with mock_aws():
        yield boto3.Session("testing", "testing", region_name=REGION)


@pytest.fixture(params=["aws", "in memory"])
def endpoints(request: pytest.FixtureRequest) -> Endpoints:
    made: Endpoints = InMemoryEndpoints(SettableClock(), ACCOUNT, REGION)
    if request.param == "aws":
        session = request.getfixturevalue("aws")
        place = Environment(ACCOUNT, REGION, "aws", "", "")
        made = SageMakerEndpoints(lambda: session, place, default_role=lambda: ROLE)
    for version, name in ((1, FIRST), (2, SECOND)):
        served = (Served(f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/m:1", "s3://b/artifacts/0/model.tar.gz"),)
        tags = {RELEASE_TAG: f"wages-v{version}-a1", MODEL_PACKAGE_TAG: f"{PACKAGE}/{version}"}
        made.create_model(name, containers=served, role_arn=ROLE, hosting=Hosting(), tags=tags)
    return made


def named(model: str) -> EndpointState:
    return EndpointState(PARAMETER, PARAMETER_ARN, "InService", model, target="batch")


def test_a_champion_is_named_once_then_in_place_of_another_and_taken_away(endpoints: Endpoints) -> None:
    assert endpoints.look(PARAMETER) is None
    assert endpoints.create(PARAMETER, FIRST, {})
    assert endpoints.look(PARAMETER) == named(FIRST)
    assert not endpoints.create(PARAMETER, SECOND, {})
    assert endpoints.look(PARAMETER) == named(FIRST)
    for _ in range(2):
        endpoints.update(PARAMETER, SECOND)
        assert endpoints.look(PARAMETER) == named(SECOND)
    for _ in range(2):
        endpoints.delete(PARAMETER)
        assert endpoints.look(PARAMETER) is None


def test_what_was_deleted_meanwhile_is_written_anew(endpoints: Endpoints) -> None:
    endpoints.update(PARAMETER, FIRST)
    assert endpoints.look(PARAMETER) == named(FIRST)


def test_a_model_that_is_not_there_is_not_named() -> None:
    session = StubbedSession()
    refuse(session, "list_tags", "ValidationException", f"Could not find resource {FIRST}.")
    for endpoints in (endpoints_on(session), InMemoryEndpoints(SettableClock(), ACCOUNT, REGION)):
        with pytest.raises(TryAgain, match=rf"parameter {PARAMETER} cannot name model {FIRST}: .*ould not find"):
            endpoints.create(PARAMETER, FIRST, {})


def test_it_is_known_by_its_own_kind_of_arn(endpoints: Endpoints) -> None:
    assert endpoints.arn_of(PARAMETER) == PARAMETER_ARN


def on(session: boto3.Session) -> SageMakerEndpoints:
    return SageMakerEndpoints(lambda: session, Environment(ACCOUNT, REGION, "aws", "", ""), default_role=lambda: ROLE)


def test_jobs_read_the_model_and_where_it_is_from(aws: boto3.Session) -> None:
    tags = {RELEASE_TAG: "wages-v1-a1", MODEL_PACKAGE_TAG: f"{PACKAGE}/1"}
    served = (Served(f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/m:1", "s3://b/artifacts/0/model.tar.gz"),)
    on(aws).create_model(FIRST, containers=served, role_arn=ROLE, hosting=Hosting(), tags=tags)
    on(aws).create(PARAMETER, FIRST, {})
    found = aws.client("ssm").get_parameter(Name=PARAMETER)["Parameter"]
    told = json.loads(found["Value"])
    since = datetime.fromisoformat(told.pop("since"))
    assert abs((since - found["LastModifiedDate"]).total_seconds()) < 5
    assert told == {
        "model_name": FIRST,
        "release_id": "wages-v1-a1",
        "version": 1,
        "model_package_arn": f"{PACKAGE}/1",
    }
    assert found["Type"] == "String"


def test_what_somebody_else_has_written_is_no_champion(aws: boto3.Session) -> None:
    aws.client("ssm").put_parameter(Name=PARAMETER, Value="the old one", Type="String")
    state = on(aws).look(PARAMETER)
    assert state is not None
    assert (state.status, state.config_name) == ("Failed", "")
    assert state.failure_reason == "it names no model of a release, but says 'the old one'"


def test_a_parameter_is_no_endpoint_that_could_be_looked_at(aws: boto3.Session) -> None:
    assert AwsProductionLook(lambda: aws).deployed(PARAMETER) is None


def test_a_refusal_ends_the_deployment_with_its_words() -> None:
    session = StubbedSession()
    endpoints = endpoints_on(session)
    refuse(session, "delete_parameter", "AccessDeniedException", "not authorized", "ssm")
    with pytest.raises(DeploymentFailed, match="parameter /lockkeeper/wages/champion cannot be deleted: AccessDenied"):
        endpoints.delete(PARAMETER)
    tags = [{"Key": RELEASE_TAG, "Value": "wages-v1-a1"}, {"Key": MODEL_PACKAGE_TAG, "Value": f"{PACKAGE}/1"}]
    session.stub("sagemaker").add_response("list_tags", {"Tags": tags})
    refuse(session, "put_parameter", "AccessDeniedException", "not authorized", "ssm")
    with pytest.raises(DeploymentFailed, match="cannot be written: AccessDenied"):
        endpoints.update(PARAMETER, FIRST)
    refuse(session, "list_tags", "AccessDeniedException", "not authorized")
    with pytest.raises(DeploymentFailed, match=r"cannot name model .*AccessDenied"):
        endpoints.update(PARAMETER, FIRST)
    refuse(session, "get_parameter", "ThrottlingException", "slow down", "ssm")
    with pytest.raises(session.client("ssm").exceptions.ClientError):
        endpoints.look(PARAMETER)


@pytest.mark.parametrize(
    ("written", "state", "says"),
    [
        (None, State.OK, "parameter /lockkeeper/wages/champion does not exist; the first release creates it"),
        (json.dumps({"model_name": FIRST}), State.OK, f"parameter /lockkeeper/wages/champion names {FIRST}"),
        ("by hand", State.PROBLEM, "parameter /lockkeeper/wages/champion names no model of a release"),
    ],
)
def test_the_doctor_says_what_jobs_read(aws: boto3.Session, written: str | None, state: State, says: str) -> None:
    if written:
        aws.client("ssm").put_parameter(Name=PARAMETER, Value=written, Type="String")
    policy = Policy.model_validate(batch_document())
    (finding,) = look_at_endpoint(Stack({}, aws, InMemoryWorld()), policy)
    assert (finding.what, finding.state, finding.seen) == ("wages: champion", state, says)
    assert bool(finding.cure) is (state is State.PROBLEM)
