"""SageMaker endpoints of one environment, with its alarms and request counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ClientError

from lockkeeper.adapters.application_autoscaling import ApplicationAutoScaling
from lockkeeper.adapters.champion_parameters import ChampionParameters
from lockkeeper.adapters.cloudwatch_alarms import CloudWatchAlarms
from lockkeeper.adapters.deployment_config import deployment_config
from lockkeeper.adapters.invocations import invoke, runtime
from lockkeeper.adapters.refusals import is_missing, says_exists, translated
from lockkeeper.adapters.request_queue import RequestQueue
from lockkeeper.domain.batch import is_parameter
from lockkeeper.domain.captured import shadow_capture
from lockkeeper.domain.errors import TryAgain
from lockkeeper.domain.hosting import Hosting
from lockkeeper.domain.model_package import Served
from lockkeeper.domain.online.rows import LONGEST_ANSWER, Answered
from lockkeeper.domain.release import RELEASE_TAG, is_staging_name
from lockkeeper.domain.rollout import Deployment, EndpointState
from lockkeeper.domain.shadow import shadow_of
from lockkeeper.domain.targets import ASYNC, REAL_TIME, SERVERLESS, Asynchronous, Fleet
from lockkeeper.settings import Environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from boto3 import Session

CONNECTIONS = 64
"""A load test has as many requests under way at once as this."""
OF_ITS_OWN = frozenset(
    {"EndpointConfigName", "EndpointConfigArn", "CreationTime", "DataCaptureConfig", "ResponseMetadata"}
)
"""What DescribeEndpointConfig answers that no other configuration is made with."""


class SageMakerEndpoints(CloudWatchAlarms, ApplicationAutoScaling, ChampionParameters, RequestQueue):
    """Implements `ports.Endpoints`. `session` gives a session under the environment's deploy role; it is made at first use."""

    def __init__(
        self,
        session: Callable[[], Session],
        environment: Environment,
        *,
        default_role: Callable[[], str],
    ) -> None:
        self._session = session
        self._environment = environment
        self._default_role = default_role
        self._clients: dict[str, Any] = {}

    @property
    def account(self) -> str:
        return self._environment.account

    @property
    def execution_role_arn(self) -> str:
        return self._default_role()

    def arn_of(self, endpoint_name: str) -> str:
        if is_parameter(endpoint_name):
            return self._arn("ssm", f"parameter{endpoint_name}")
        return self._arn("sagemaker", f"endpoint/{endpoint_name.lower()}")

    def alarm_arn(self, name: str) -> str:
        return self._arn("cloudwatch", f"alarm:{name}")

    def _arn(self, service: str, resource: str) -> str:
        place = self._environment
        return f"arn:{place.partition}:{service}:{place.region}:{place.account}:{resource}"

    def look(self, endpoint_name: str) -> EndpointState | None:
        if is_parameter(endpoint_name):
            return self._look_at_parameter(endpoint_name)
        try:
            answer = self._client("sagemaker").describe_endpoint(EndpointName=endpoint_name)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        return EndpointState(
            name=answer["EndpointName"],
            arn=answer["EndpointArn"],
            status=answer["EndpointStatus"],
            config_name=answer.get("EndpointConfigName", ""),
            failure_reason=answer.get("FailureReason", ""),
            target=_target(answer),
            pending_config=answer.get("PendingDeploymentSummary", {}).get("EndpointConfigName", ""),
        )

    def staging_endpoints(self) -> dict[str, str]:
        client = self._client("sagemaker")
        pages = client.get_paginator("list_endpoints").paginate(NameContains="lockkeeper-")
        return {
            one["EndpointName"]: self._tag(one["EndpointArn"], RELEASE_TAG)
            for page in pages
            for one in page["Endpoints"]
            if is_staging_name(one["EndpointName"]) and one["EndpointStatus"] != "Deleting"
        }

    def models_and_configs(self, group: str) -> set[str]:
        client = self._client("sagemaker")
        # SageMaker takes 63 characters, of which long names have fewer of the group.
        beginning = f"lockkeeper-{group}"[:40]
        kinds = (
            ("list_models", "Models", "ModelName"),
            ("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
        )
        return {
            str(one[name])
            for operation, answer, name in kinds
            for page in client.get_paginator(operation).paginate(NameContains=beginning)
            for one in page[answer]
        }

    def _tag(self, arn: str, name: str) -> str:
        try:
            pages = self._client("sagemaker").get_paginator("list_tags").paginate(ResourceArn=arn)
            tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
        except ClientError as error:
            if is_missing(error):
                return ""  # Deleted since it was listed.
            raise
        return str(tags.get(name, ""))

    def create_model(
        self,
        name: str,
        *,
        containers: tuple[Served, ...],
        role_arn: str,
        hosting: Hosting,
        tags: dict[str, str],
    ) -> None:
        definitions = [one.request() for one in containers]
        what: dict[str, Any] = (
            {"PrimaryContainer": definitions[0]} if len(definitions) == 1 else {"Containers": definitions}
        )
        if hosting.vpc:
            what["VpcConfig"] = hosting.vpc
        if hosting.network_isolation:
            what["EnableNetworkIsolation"] = True
        every = _tags({**hosting.tags, **tags})
        self._create("create_model", ModelName=name, **what, ExecutionRoleArn=role_arn, Tags=every)

    def create_config(self, name: str, *, model: str, fleet: Fleet, hosting: Hosting, tags: dict[str, str]) -> None:
        variant = {
            **hosting.variant_settings,
            "VariantName": hosting.variant,
            "ModelName": model,
            **_running(fleet),
            "InitialVariantWeight": 1.0,
        }
        every = _tags({**hosting.tags, **tags})
        request: dict[str, Any] = {"EndpointConfigName": name, "ProductionVariants": [variant], "Tags": every}
        if fleet.asynchronous:
            request["AsyncInferenceConfig"] = _queue(fleet.asynchronous)
        if hosting.kms_key:
            request["KmsKeyId"] = hosting.kms_key
        if hosting.capture:
            request["DataCaptureConfig"] = hosting.capture
        self._create("create_endpoint_config", **request)

    def create_shadow(
        self,
        name: str,
        *,
        beside: str,
        percent: int,
        model: str,
        fleet: Fleet,
        hosting: Hosting,
        to: str,
        tags: dict[str, str],
    ) -> None:
        served = self._client("sagemaker").describe_endpoint_config(EndpointConfigName=beside)
        copied = {key: value for key, value in served.items() if key not in OF_ITS_OWN}
        # The share of the copies is that of the weights.
        weight = served["ProductionVariants"][0].get("InitialVariantWeight", 1.0) * percent / 100
        shadow = {
            **hosting.variant_settings,
            "VariantName": shadow_of(hosting.variant),
            "ModelName": model,
            **_running(fleet),
            "InitialVariantWeight": weight,
        }
        self._create(
            "create_endpoint_config",
            **copied,
            EndpointConfigName=name,
            ShadowProductionVariants=[shadow],
            DataCaptureConfig=shadow_capture(to),
            Tags=_tags({**hosting.tags, **tags}),
        )

    def create(self, endpoint_name: str, config_name: str, tags: dict[str, str]) -> bool:
        if is_parameter(endpoint_name):
            return self._name_champion(endpoint_name, config_name, instead=False)
        return self._create(
            "create_endpoint", EndpointName=endpoint_name, EndpointConfigName=config_name, Tags=_tags(tags)
        )

    def update(
        self,
        endpoint_name: str,
        config_name: str,
        deployment: Deployment | None = None,
        *,
        keep_capacity: bool = False,
    ) -> None:
        if is_parameter(endpoint_name):
            self._name_champion(endpoint_name, config_name, instead=True)
            return
        request: dict[str, Any] = {"EndpointName": endpoint_name, "EndpointConfigName": config_name}
        if keep_capacity:
            request["RetainAllVariantProperties"] = True
        if deployment and (config := deployment_config(deployment)):
            request["DeploymentConfig"] = config
        try:
            self._client("sagemaker").update_endpoint(**request)
        except ClientError as error:
            raise translated(error, f"endpoint {endpoint_name} cannot be updated") from error

    def delete(self, endpoint_name: str) -> None:
        if is_parameter(endpoint_name):
            self._delete_parameter(endpoint_name)
            return
        self._delete("delete_endpoint", endpoint_name, EndpointName=endpoint_name)

    def delete_config(self, name: str) -> None:
        self._delete("delete_endpoint_config", name, EndpointConfigName=name)

    def delete_model(self, name: str) -> None:
        self._delete("delete_model", name, ModelName=name)

    def invoke(
        self, endpoint_name: str, body: str, content_type: str, accept: str, *, seconds: int = LONGEST_ANSWER
    ) -> Answered:
        try:
            return invoke(self._runtime(seconds), endpoint_name, body, content_type, accept)
        except ClientError as error:
            said = error.response["Error"]
            if said["Code"] == "ThrottlingException":
                raise TryAgain(
                    f"endpoint {endpoint_name} took no request: {said['Code']}: {said['Message']}"
                ) from error
            raise translated(error, f"endpoint {endpoint_name} cannot be invoked") from error

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            config = Config(max_pool_connections=CONNECTIONS)
            self._clients[service] = self._session().client(service, config=config)  # type: ignore[call-overload]
        return self._clients[service]

    def _runtime(self, seconds: int) -> Any:
        kept = f"sagemaker-runtime for {seconds} seconds"
        if kept not in self._clients:
            self._clients[kept] = runtime(self._session(), seconds, CONNECTIONS)
        return self._clients[kept]

    def _create(self, operation: str, **request: Any) -> bool:
        try:
            getattr(self._client("sagemaker"), operation)(**request)
        except ClientError as error:
            if says_exists(error):
                return False
            raise translated(error, f"{operation} was refused") from error
        return True

    def _delete(self, operation: str, name: str, **request: Any) -> None:
        try:
            getattr(self._client("sagemaker"), operation)(**request)
        except ClientError as error:
            if not is_missing(error):
                raise translated(error, f"{operation} of {name} was refused") from error


def _running(fleet: Fleet) -> dict[str, Any]:
    """What a variant runs on, as CreateEndpointConfig takes it."""
    if fleet.serverless is None:
        return {"InstanceType": fleet.instance_type, "InitialInstanceCount": fleet.instances}
    wanted = {"MemorySizeInMB": fleet.serverless.memory_mb, "MaxConcurrency": fleet.serverless.max_concurrency}
    if fleet.serverless.provisioned_concurrency is not None:
        wanted["ProvisionedConcurrency"] = fleet.serverless.provisioned_concurrency
    return {"ServerlessConfig": wanted}


def _queue(asynchronous: Asynchronous) -> dict[str, Any]:
    """Where an asynchronous endpoint answers, as CreateEndpointConfig takes it."""
    topics = {"SuccessTopic": asynchronous.success_topic, "ErrorTopic": asynchronous.error_topic}
    told = {name: arn for name, arn in topics.items() if arn}
    output: dict[str, Any] = {"S3OutputPath": asynchronous.output}
    if asynchronous.failures:
        output["S3FailurePath"] = asynchronous.failures
    if told:
        output["NotificationConfig"] = told
    at_once = asynchronous.max_concurrent_per_instance
    client = {"ClientConfig": {"MaxConcurrentInvocationsPerInstance": at_once}} if at_once else {}
    return {"OutputConfig": output, **client}


def _target(described: dict[str, Any]) -> str:
    """What kind of endpoint DescribeEndpoint's answer is about."""
    if any("CurrentServerlessConfig" in variant for variant in described.get("ProductionVariants", [])):
        return SERVERLESS
    return ASYNC if described.get("AsyncInferenceConfig") else REAL_TIME


def _tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in tags.items()]
