"""What AWS answers, in the words of the real services, and what the adapters make of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from lockkeeper.adapters.aws import BusPublisher
from lockkeeper.adapters.cloudwatch_alarms import alarm_request
from lockkeeper.adapters.deployment_config import deployment_config
from lockkeeper.adapters.s3 import S3Objects
from lockkeeper.adapters.sagemaker_endpoints import SageMakerEndpoints
from lockkeeper.adapters.sagemaker_registry import SageMakerRegistry
from lockkeeper.domain.alarms import Alarm, Watched
from lockkeeper.domain.errors import DeploymentFailed, TryAgain
from lockkeeper.domain.hosting import Hosting
from lockkeeper.domain.model_package import Served
from lockkeeper.domain.rollout import AlarmLook, Deployment, EndpointState
from lockkeeper.domain.strategy import Strategy
from lockkeeper.domain.targets import Fleet
from lockkeeper.settings import Environment

ACCOUNT = "333333333333"
REGION = "eu-central-1"
ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/wages"
PACKAGE = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/wages/1"
FLEET = Watched("wages", "new", "primary")
SINCE = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


class StubbedSession:
    """A session whose clients answer what was queued, and check the requests against botocore's models."""

    def __init__(self) -> None:
        self._session = boto3.Session("testing", "testing", region_name=REGION)
        self.clients: dict[str, Any] = {}
        self.stubs: dict[str, Stubber] = {}

    def client(self, service: str, config: Any = None) -> Any:
        if service not in self.clients:
            self.clients[service] = self._session.client(service)  # type: ignore[call-overload]
            self.stubs[service] = Stubber(self.clients[service])
            self.stubs[service].activate()
        return self.clients[service]

    def stub(self, service: str) -> Stubber:
        self.client(service)
        return self.stubs[service]


@pytest.fixture
def session() -> StubbedSession:
    return StubbedSession()


def endpoints_on(session: StubbedSession) -> SageMakerEndpoints:
    """An environment's endpoints whose clients answer what a test stubs."""
    environment = Environment(ACCOUNT, REGION, "aws", f"arn:aws:iam::{ACCOUNT}:role/deploy", "")
    return SageMakerEndpoints(
        lambda: session,  # type: ignore[arg-type, return-value]
        environment,
        default_role=lambda: "",
    )


@pytest.fixture
def endpoints(session: StubbedSession) -> SageMakerEndpoints:
    return endpoints_on(session)


def refuse(session: StubbedSession, operation: str, code: str, message: str, service: str = "sagemaker") -> None:
    session.stub(service).add_client_error(operation, code, message, http_status_code=400)


def create_endpoint(endpoints: SageMakerEndpoints) -> bool:
    return endpoints.create("wages", "config", {"lockkeeper:release": "wages-v1-a1"})


def test_arns_are_written_as_sagemaker_writes_them(endpoints: SageMakerEndpoints) -> None:
    assert endpoints.arn_of("Wages") == ARN
    assert endpoints.alarm_arn("Errors") == f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:Errors"


def test_what_is_created_is_what_was_asked_for(session: StubbedSession, endpoints: SageMakerEndpoints) -> None:
    stub = session.stub("sagemaker")
    tags = [{"Key": "lockkeeper:release", "Value": "wages-v1-a1"}]
    container = {"Image": "i@sha256:1", "ModelDataUrl": "s3://b/artifacts/x/model.tar.gz", "Environment": {"A": "1"}}
    role = f"arn:aws:iam::{ACCOUNT}:role/execution"
    stub.add_response(
        "create_model",
        {"ModelArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model/m"},
        {"ModelName": "m", "PrimaryContainer": container, "ExecutionRoleArn": role, "Tags": tags},
    )
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": "m",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 2,
        "InitialVariantWeight": 1.0,
    }
    stub.add_response(
        "create_endpoint_config",
        {"EndpointConfigArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint-config/c"},
        {"EndpointConfigName": "c", "ProductionVariants": [variant], "Tags": tags},
    )
    stub.add_response(
        "create_endpoint", {"EndpointArn": ARN}, {"EndpointName": "wages", "EndpointConfigName": "c", "Tags": tags}
    )
    wanted = {"lockkeeper:release": "wages-v1-a1"}
    endpoints.create_model(
        "m",
        containers=(Served("i@sha256:1", "s3://b/artifacts/x/model.tar.gz", {"A": "1"}),),
        role_arn=role,
        hosting=Hosting(),
        tags=wanted,
    )
    endpoints.create_config("c", model="m", fleet=Fleet("ml.m5.large", 2), hosting=Hosting(), tags=wanted)
    assert endpoints.create("wages", "c", wanted)
    stub.assert_no_pending_responses()


def test_what_exists_already_is_not_created_again(session: StubbedSession, endpoints: SageMakerEndpoints) -> None:
    message = f'Cannot create already existing endpoint "{ARN}".'
    refuse(session, "create_endpoint", "ValidationException", message)
    assert create_endpoint(endpoints) is False


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("ResourceLimitExceeded", "The account-level service limit 'ml.m5.large' is 0 Instances", TryAgain),
        # SageMaker is eventually consistent: a configuration made a moment ago may not be found yet.
        ("ValidationException", 'Could not find endpoint configuration "config".', TryAgain),
        ("ValidationException", "Instance type ml.x is not supported", DeploymentFailed),
        ("AccessDeniedException", "User is not authorized to perform: iam:PassRole", DeploymentFailed),
        ("ThrottlingException", "Rate exceeded", ClientError),
        ("InternalFailure", "something", ClientError),
    ],
)
def test_a_refused_creation_means(
    session: StubbedSession, endpoints: SageMakerEndpoints, code: str, message: str, kind: type[Exception]
) -> None:
    refuse(session, "create_endpoint", code, message)
    with pytest.raises(kind, match=code):
        create_endpoint(endpoints)


def test_a_quota_that_stays_used_up_says_what_to_do(session: StubbedSession, endpoints: SageMakerEndpoints) -> None:
    refuse(session, "create_endpoint", "ResourceLimitExceeded", "The limit 'ml.m5.large' is 0 Instances")
    with pytest.raises(TryAgain, match="raise the quota in Service Quotas"):
        create_endpoint(endpoints)


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("update_endpoint", lambda endpoints: endpoints.update("wages", "config")),
        ("delete_endpoint", lambda endpoints: endpoints.delete("wages")),
    ],
)
def test_an_endpoint_that_is_changing_is_tried_again(
    session: StubbedSession, endpoints: SageMakerEndpoints, operation: str, call: Callable[[SageMakerEndpoints], None]
) -> None:
    refuse(session, operation, "ValidationException", f'Cannot update in-progress endpoint "{ARN}".')
    with pytest.raises(TryAgain):
        call(endpoints)


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("delete_endpoint", lambda endpoints: endpoints.delete("wages")),
        ("delete_endpoint_config", lambda endpoints: endpoints.delete_config("wages")),
        ("delete_model", lambda endpoints: endpoints.delete_model("wages")),
    ],
)
def test_what_is_gone_is_deleted(
    session: StubbedSession, endpoints: SageMakerEndpoints, operation: str, call: Callable[[SageMakerEndpoints], None]
) -> None:
    refuse(session, operation, "ValidationException", f'Could not find endpoint "{ARN}".')
    call(endpoints)
    refuse(session, operation, "AccessDeniedException", "not authorized")
    with pytest.raises(DeploymentFailed):
        call(endpoints)


def test_a_look_tells_what_describe_endpoint_says(session: StubbedSession, endpoints: SageMakerEndpoints) -> None:
    stub = session.stub("sagemaker")
    answer = {
        "EndpointName": "wages",
        "EndpointArn": ARN,
        "EndpointConfigName": "config",
        "EndpointStatus": "Failed",
        "FailureReason": "no ping",
        "CreationTime": SINCE,
        "LastModifiedTime": SINCE,
    }
    stub.add_response("describe_endpoint", answer, {"EndpointName": "wages"})
    assert endpoints.look("wages") == EndpointState("wages", ARN, "Failed", "config", "no ping")
    updating = {**answer, "EndpointStatus": "Updating", "PendingDeploymentSummary": {"EndpointConfigName": "next"}}
    del updating["FailureReason"]
    stub.add_response("describe_endpoint", updating, {"EndpointName": "wages"})
    assert endpoints.look("wages") == EndpointState("wages", ARN, "Updating", "config", pending_config="next")
    refuse(session, "describe_endpoint", "ValidationException", f'Could not find endpoint "{ARN}".')
    assert endpoints.look("wages") is None
    refuse(session, "describe_endpoint", "ThrottlingException", "Rate exceeded")
    with pytest.raises(ClientError):
        endpoints.look("wages")


def test_a_models_own_error_is_an_answer(session: StubbedSession, endpoints: SageMakerEndpoints) -> None:
    stub = session.stub("sagemaker-runtime")
    body = StreamingBody(io.BytesIO(b"1\n0"), 3)
    stub.add_response("invoke_endpoint", {"Body": body, "ContentType": "text/csv"})
    answered = endpoints.invoke("wages", "1,2", "text/csv", "text/csv")
    assert (answered.status, answered.content_type, answered.body) == (200, "text/csv", "1\n0")
    stub.add_client_error(
        "invoke_endpoint",
        "ModelError",
        "Received client error (415)",
        http_status_code=424,
        modeled_fields={"OriginalStatusCode": 415, "OriginalMessage": "no such type"},
    )
    answered = endpoints.invoke("wages", "1,2", "image/png", "text/csv")
    assert (answered.status, answered.body) == (415, "no such type")
    refuse(session, "invoke_endpoint", "ValidationError", "Endpoint wages not found.", "sagemaker-runtime")
    with pytest.raises(DeploymentFailed, match="cannot be invoked"):
        endpoints.invoke("wages", "1,2", "text/csv", "text/csv")


def test_one_of_too_many_requests_is_no_answer_of_the_model(
    session: StubbedSession, endpoints: SageMakerEndpoints
) -> None:
    refuse(session, "invoke_endpoint", "ThrottlingException", "not now", "sagemaker-runtime")
    with pytest.raises(TryAgain, match="took no request: ThrottlingException: not now"):
        endpoints.invoke("wages", "1,2", "text/csv", "text/csv")


@pytest.mark.parametrize("kind", ["canary", "linear", "rolling", ""])
def test_an_update_says_how_traffic_moves(session: StubbedSession, endpoints: SageMakerEndpoints, kind: str) -> None:
    given = {kind: {"percent": 20, "wait": "1m"}, "timeout": "1h"} if kind else {}
    deployment = Deployment(Strategy.model_validate(given), ("errors",))
    wanted = {"EndpointName": "wages", "EndpointConfigName": "new", "DeploymentConfig": deployment_config(deployment)}
    session.stub("sagemaker").add_response("update_endpoint", {"EndpointArn": ARN}, wanted)
    endpoints.update("wages", "new", deployment)
    session.stub("sagemaker").assert_no_pending_responses()


def test_the_way_back_moves_at_once_and_asks_no_alarm(session: StubbedSession, endpoints: SageMakerEndpoints) -> None:
    wanted = {"EndpointName": "wages", "EndpointConfigName": "old"}
    session.stub("sagemaker").add_response("update_endpoint", {"EndpointArn": ARN}, wanted)
    endpoints.update("wages", "old")
    session.stub("sagemaker").assert_no_pending_responses()


@pytest.mark.parametrize("item", [{"errors_5xx": 5}, {"model_latency_ms": {"p95": 200}}])
def test_an_alarm_is_made_and_deleted(
    session: StubbedSession, endpoints: SageMakerEndpoints, item: dict[str, Any]
) -> None:
    stub = session.stub("cloudwatch")
    made = Alarm.model_validate(item).made
    assert made is not None
    request = {**alarm_request("mine", made, FLEET), "AlarmDescription": "why"}
    stub.add_response("put_metric_alarm", {}, request)
    endpoints.make_alarm("mine", made, FLEET, "why")
    stub.add_response("delete_alarms", {}, {"AlarmNames": ["mine"]})
    endpoints.delete_alarm("mine")
    refuse(session, "delete_alarms", "ResourceNotFound", "No such alarm", "cloudwatch")
    endpoints.delete_alarm("mine")
    for operation in ("put_metric_alarm", "delete_alarms"):
        refuse(session, operation, "AccessDeniedException", "not authorized", "cloudwatch")
    with pytest.raises(DeploymentFailed, match="alarm mine cannot be made"):
        endpoints.make_alarm("mine", made, FLEET, "why")
    with pytest.raises(DeploymentFailed, match="alarm mine cannot be deleted"):
        endpoints.delete_alarm("mine")


def test_alarms_are_looked_at_with_their_history(session: StubbedSession, endpoints: SageMakerEndpoints) -> None:
    stub = session.stub("cloudwatch")
    names = ("calm", "recovered", "both", "gone")
    known = [{"AlarmName": name, "StateValue": "OK"} for name in names[:2]]
    composite = [{"AlarmName": "both", "StateValue": "OK"}]
    stub.add_response(
        "describe_alarms",
        {"MetricAlarms": known, "CompositeAlarms": composite},
        {"AlarmNames": list(names), "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]},
    )
    summaries = {"calm": "Alarm updated from INSUFFICIENT_DATA to OK", "recovered": "Alarm updated from OK to ALARM"}
    summaries["both"] = summaries["recovered"]
    for name in names[:3]:
        stub.add_response(
            "describe_alarm_history",
            {"AlarmHistoryItems": [{"AlarmName": name, "HistorySummary": summaries[name]}]},
            {
                "AlarmName": name,
                "AlarmTypes": ["MetricAlarm", "CompositeAlarm"],
                "HistoryItemType": "StateUpdate",
                "StartDate": SINCE,
            },
        )
    assert endpoints.alarms(names, SINCE) == (
        AlarmLook("calm", "OK", False),
        AlarmLook("recovered", "OK", True),
        AlarmLook("both", "OK", True),
        AlarmLook("gone", "missing", False),
    )
    assert endpoints.alarms((), SINCE) == ()
    stub.assert_no_pending_responses()


@pytest.mark.parametrize(("length", "period"), [(timedelta(minutes=11), 60), (timedelta(days=30), 7 * 300)])
def test_invocations_are_summed_within_cloudwatchs_limits(
    session: StubbedSession, endpoints: SageMakerEndpoints, length: timedelta, period: int
) -> None:
    expected = {
        "Namespace": "AWS/SageMaker",
        "MetricName": "Invocations",
        "Dimensions": [{"Name": "EndpointName", "Value": "wages"}, {"Name": "VariantName", "Value": "primary"}],
        "StartTime": SINCE,
        "EndTime": SINCE + length,
        "Period": period,
        "Statistics": ["Sum", "SampleCount"],
    }
    points = {"Datapoints": [{"Sum": 3.0, "SampleCount": 3.0}, {"Sum": 4.0, "SampleCount": 4.0}]}
    session.stub("cloudwatch").add_response("get_metric_statistics", points, expected)
    assert endpoints.invocations("wages", "primary", SINCE, SINCE + length) == 7
    assert length.total_seconds() / period <= 1440


def test_staging_endpoints_are_listed_with_the_release_in_their_tag(
    session: StubbedSession, endpoints: SageMakerEndpoints
) -> None:
    def listed(name: str, status: str = "InService") -> dict[str, Any]:
        arn = ARN.replace("wages", name)
        return {
            "EndpointName": name,
            "EndpointArn": arn,
            "EndpointStatus": status,
            "CreationTime": SINCE,
            "LastModifiedTime": SINCE,
        }

    names = ("lockkeeper-wages-v1-a1-staging", "lockkeeper-wages-v2-a1-staging", "lockkeeper-wages-v3-a1-staging")
    found = [listed(names[0]), listed(names[1], "Deleting"), listed("lockkeeper-demo"), listed(names[2])]
    stub = session.stub("sagemaker")
    stub.add_response("list_endpoints", {"Endpoints": found}, {"NameContains": "lockkeeper-"})
    tags = {"Tags": [{"Key": "lockkeeper:release", "Value": "wages-v1-a1"}]}
    stub.add_response("list_tags", tags, {"ResourceArn": found[0]["EndpointArn"]})
    refuse(session, "list_tags", "ValidationException", "Could not find endpoint")
    assert endpoints.staging_endpoints() == {names[0]: "wages-v1-a1", names[2]: ""}


def test_an_event_reaches_the_bus_as_lockkeepers_or_is_missed(session: StubbedSession) -> None:
    entry = {"Source": "lockkeeper", "DetailType": "Gate Judged", "Detail": '{"a": 1}', "EventBusName": "bus"}
    stub = session.stub("events")
    stub.add_response("put_events", {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}, {"Entries": [entry]})
    publisher = BusPublisher(session.client("events"), "bus")
    publisher.publish("Gate Judged", {"a": 1})
    refused = {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}
    stub.add_response("put_events", {"FailedEntryCount": 1, "Entries": [refused]}, {"Entries": [entry]})
    with pytest.raises(RuntimeError, match="the bus refused Gate Judged: InternalFailure try again"):
        publisher.publish("Gate Judged", {"a": 1})


@pytest.mark.parametrize("already_there", [False, True])
def test_a_sealed_key_is_written_at_most_once(session: StubbedSession, already_there: bool) -> None:
    stub = session.stub("s3")
    copy = {
        "Bucket": "bucket",
        "Key": "artifacts/ab/model.tar.gz",
        "CopySource": {"Bucket": "bucket", "Key": "incoming/release"},
        "IfNoneMatch": "*",
    }
    if already_there:
        stub.add_client_error("copy_object", "PreconditionFailed", http_status_code=412, expected_params=copy)
    else:
        stub.add_response("copy_object", {}, copy)
    stub.add_response("delete_object", {}, {"Bucket": "bucket", "Key": "incoming/release"})
    sealed = S3Objects(session.client("s3"), "bucket", evidence=lambda: session.client("s3")).seal_as(
        "incoming/release", "artifacts/ab/model.tar.gz"
    )
    assert sealed == "s3://bucket/artifacts/ab/model.tar.gz"
    stub.assert_no_pending_responses()


def test_a_version_that_is_gone_is_none(session: StubbedSession) -> None:
    registry = SageMakerRegistry(session.client("sagemaker"))
    refuse(session, "describe_model_package", "ValidationException", f"ModelPackage {PACKAGE} does not exist.")
    assert registry.describe(PACKAGE) is None
    refuse(session, "describe_model_package", "AccessDeniedException", "not authorized")
    with pytest.raises(ClientError):
        registry.describe(PACKAGE)


def test_versions_of_every_group_are_listed_by_when_they_were_registered(session: StubbedSession) -> None:
    stub = session.stub("sagemaker")
    asked = {
        "ModelPackageType": "Versioned",
        "CreationTimeAfter": SINCE - timedelta(days=1),
        "CreationTimeBefore": SINCE,
        "MaxResults": 100,
    }
    one = {
        "ModelPackageArn": PACKAGE,
        "CreationTime": SINCE - timedelta(hours=1),
        "ModelPackageStatus": "Completed",
    }
    stub.add_response("list_model_packages", {"ModelPackageSummaryList": [one], "NextToken": "more"}, asked)
    stub.add_response("list_model_packages", {"ModelPackageSummaryList": [one]}, {**asked, "NextToken": "more"})
    registry = SageMakerRegistry(session.client("sagemaker"))
    assert registry.registered(SINCE - timedelta(days=1), SINCE) == [one, one]


def test_a_stamp_is_what_the_registry_accepts(session: StubbedSession) -> None:
    stub = session.stub("sagemaker")
    stub.add_response(
        "update_model_package",
        {"ModelPackageArn": PACKAGE},
        {
            "ModelPackageArn": PACKAGE,
            "ApprovalDescription": "promoted",
            "CustomerMetadataProperties": {"lockkeeper:release": "a_b"},
            "ModelApprovalStatus": "Approved",
            "ModelLifeCycle": {"Stage": "Production", "StageStatus": "Promoted"},
        },
    )
    registry = SageMakerRegistry(session.client("sagemaker"))
    registry.stamp(
        PACKAGE,
        status="Approved",
        description="promoted",
        metadata={"lockkeeper:release": "a;b"},
        life_cycle="Production",
    )
    bare = {"ModelPackageArn": PACKAGE, "ApprovalDescription": "failed"}
    stub.add_response("update_model_package", {"ModelPackageArn": PACKAGE}, bare)
    registry.stamp(PACKAGE, status=None, description="failed", metadata={}, life_cycle="")
    refuse(session, "update_model_package", "ValidationException", f"ModelPackage {PACKAGE} does not exist.")
    registry.stamp(PACKAGE, status=None, description="gone", metadata={}, life_cycle="")
    stub.assert_no_pending_responses()
