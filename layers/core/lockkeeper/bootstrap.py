"""The only wiring: which adapter stands behind which port, each built when it is first used."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from lockkeeper.adapters.aws import SystemClock
from lockkeeper.domain.accounts import Accounts
from lockkeeper.ports import Meter, World
from lockkeeper.settings import Settings

if TYPE_CHECKING:
    import boto3

    from lockkeeper.adapters.aws import BusPublisher, OneTimeSchedules, StepFunctionsTasks, TopicMail
    from lockkeeper.adapters.dynamodb import DynamoDBLedger
    from lockkeeper.adapters.oidc import OpenIdProvider
    from lockkeeper.adapters.production_look import AwsProductionLook
    from lockkeeper.adapters.s3 import S3Objects, S3Policies
    from lockkeeper.adapters.sagemaker_endpoints import SageMakerEndpoints
    from lockkeeper.adapters.sagemaker_jobs import SageMakerJobs
    from lockkeeper.adapters.sagemaker_pipelines import SageMakerPipelines
    from lockkeeper.adapters.sagemaker_registry import SageMakerRegistry
    from lockkeeper.adapters.sagemaker_training import SageMakerTraining
    from lockkeeper.adapters.slack import SlackChannel
    from lockkeeper.domain.artifact.findings import Opinion
    from lockkeeper.domain.online.safety import Search


class AwsWorld:
    """The real world (`ports.World`). Imports are inside: a function loads only the adapters that it uses."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.clock = SystemClock()

    @cached_property
    def session(self) -> boto3.Session:
        import boto3

        return boto3.Session()

    @cached_property
    def ledger(self) -> DynamoDBLedger:
        from lockkeeper.adapters.dynamodb import DynamoDBLedger
        from lockkeeper.adapters.dynamodb.table import Table

        return DynamoDBLedger(Table(self.session.client("dynamodb"), self.settings.text("TABLE_NAME")), self.clock)

    @cached_property
    def registry(self) -> SageMakerRegistry:
        from lockkeeper.adapters.sagemaker_registry import SageMakerRegistry

        return SageMakerRegistry(self._sessions("registry").client("sagemaker"))

    @cached_property
    def training(self) -> SageMakerTraining:
        from lockkeeper.adapters.sagemaker_training import SageMakerTraining

        return SageMakerTraining(self._sessions("registry").client("sagemaker"))

    @cached_property
    def pipelines(self) -> SageMakerPipelines:
        from lockkeeper.adapters.sagemaker_pipelines import SageMakerPipelines

        return SageMakerPipelines(self._sessions("registry").client("sagemaker"))

    @property
    def own_registry_role(self) -> str:
        return self.settings.environment("registry").role_arn

    @cached_property
    def objects(self) -> S3Objects:
        from lockkeeper.adapters.s3 import S3Objects

        # Artifacts and evidence belong to the registry's people: their buckets and keys know the registry role alone.
        return S3Objects(
            self.session.client("s3"),
            self.settings.text("BUCKET_NAME"),
            evidence=lambda: self._sessions("registry").client("s3"),
        )

    @cached_property
    def policies(self) -> S3Policies:
        from lockkeeper.adapters.s3 import S3Policies

        return S3Policies(self.session.client("s3"), self.settings.text("BUCKET_NAME"))

    @cached_property
    def staging(self) -> SageMakerEndpoints:
        return self._endpoints("staging")

    @cached_property
    def production(self) -> SageMakerEndpoints:
        return self._endpoints("production")

    @cached_property
    def production_look(self) -> AwsProductionLook:
        from lockkeeper.adapters.production_look import AwsProductionLook

        return AwsProductionLook(lambda: self._sessions("production_look"))

    @cached_property
    def tasks(self) -> StepFunctionsTasks:
        from lockkeeper.adapters.aws import StepFunctionsTasks

        arn = self.settings.optional("STATE_MACHINE_ARN")
        return StepFunctionsTasks(self.session.client("stepfunctions"), arn)

    @cached_property
    def schedules(self) -> OneTimeSchedules:
        from lockkeeper.adapters.aws import OneTimeSchedules

        return OneTimeSchedules(
            self.session.client("scheduler"),
            group=self.settings.text("SCHEDULE_GROUP"),
            target_arn=self.settings.schedule_target_arn,
            role_arn=self.settings.text("SCHEDULE_ROLE_ARN"),
            dead_letter_arn=self.settings.text("SCHEDULE_DEAD_LETTER_ARN"),
        )

    @cached_property
    def publisher(self) -> BusPublisher:
        from lockkeeper.adapters.aws import BusPublisher

        return BusPublisher(self.session.client("events"), self.settings.text("BUS_NAME"))

    @cached_property
    def mail(self) -> TopicMail:
        from lockkeeper.adapters.aws import TopicMail

        return TopicMail(
            self.session.client("sns"),
            personal_topic_arn=self.settings.optional("PERSONAL_TOPIC_ARN"),
            broadcast_topic_arn=self.settings.optional("BROADCAST_TOPIC_ARN"),
        )

    @property
    def slack_used(self) -> bool:
        return bool(self.settings.optional("SLACK_CHANNEL"))

    @cached_property
    def slack(self) -> SlackChannel | None:
        channel = self.settings.optional("SLACK_CHANNEL")
        if not channel:
            return None
        from lockkeeper.adapters.slack import SlackChannel, secret_of

        return SlackChannel(
            secret_of(self.session.client("secretsmanager"), self.settings.text("SLACK_SECRET_ARN")),
            channel=channel,
            api_url=self.settings.optional("SLACK_API_URL"),
            clock=self.clock,
        )

    @cached_property
    def identity_provider(self) -> OpenIdProvider | None:
        issuer = self.settings.optional("OIDC_ISSUER")
        if not issuer:
            return None
        from lockkeeper.adapters.oidc import OpenIdProvider, secret_of

        arn = self.settings.optional("OIDC_CLIENT_SECRET_ARN")
        secret = secret_of(lambda: self.session.client("secretsmanager"), arn)
        return OpenIdProvider(issuer, self.settings.text("OIDC_CLIENT_ID"), secret, self.clock)

    @cached_property
    def pickle_opinion(self) -> Opinion:
        from lockkeeper.adapters.picklescan import dangerous_globals

        return dangerous_globals

    @cached_property
    def replay_jobs(self) -> SageMakerJobs:
        return self._jobs(lambda: self._sessions("staging"), lambda: self.settings.text("REPLAY_ROLE_ARN"))

    @cached_property
    def scan_jobs(self) -> SageMakerJobs:
        return self._jobs(lambda: self.session, lambda: self.settings.text("SCAN_ROLE_ARN"))

    @cached_property
    def monitor_jobs(self) -> SageMakerJobs:
        return self._jobs(lambda: self._sessions("production"), lambda: self.settings.text("MONITOR_ROLE_ARN"))

    @property
    def replay_code(self) -> bytes:
        from lockkeeper.adapters.replay_job import pack

        return pack()

    @property
    def scan_code(self) -> bytes:
        from lockkeeper.adapters.scan_job import pack

        return pack()

    @property
    def monitor_code(self) -> bytes:
        from lockkeeper.adapters.monitor_job import pack

        return pack()

    @cached_property
    def search(self) -> Search:
        from lockkeeper.adapters.patterns import search_all

        return search_all

    @property
    def accounts(self) -> Accounts:
        return self.settings.accounts

    @property
    def web_url(self) -> str:
        return self.settings.optional("WEB_URL")

    @property
    def web_access(self) -> str:
        return self.settings.optional("WEB_ACCESS")

    def _endpoints(self, name: str) -> SageMakerEndpoints:
        from lockkeeper.adapters.sagemaker_endpoints import SageMakerEndpoints

        return SageMakerEndpoints(
            lambda: self._sessions(name),
            self.settings.environment(name),
            default_role=lambda: self.settings.execution_role_arn(name),
        )

    def _jobs(self, session: Callable[[], boto3.Session], role: Callable[[], str]) -> SageMakerJobs:
        from lockkeeper.adapters.sagemaker_jobs import SageMakerJobs

        region = self.settings.text("AWS_REGION")
        return SageMakerJobs(lambda: session().client("sagemaker"), region, role)

    @cached_property
    def _sessions(self) -> Callable[[str], boto3.Session]:
        """The session under an environment's role, by the environment's name: one each."""
        from lockkeeper.adapters.assumed_role import assumed_role_session

        return lru_cache(lambda name: assumed_role_session(self.session, self.settings.environment(name)))


@lru_cache
def world() -> AwsWorld:
    """The world of this Lambda: one, reused while the sandbox is warm."""
    return AwsWorld()


@contextmanager
def metered(release_id: str, outside: World, memory_gb: float) -> Iterator[None]:
    """Count one state entered and one invocation for the release, with its duration in GB-seconds, also when it raises."""
    began = time.perf_counter()
    try:
        yield
    finally:
        spent = (time.perf_counter() - began) * memory_gb
        outside.ledger.meter(release_id, Meter(transitions=1, invocations=1, gb_seconds=spent))
