"""The production account as it is, in memory: the same endpoints and alarms, and roles, keys and quotas that a test sets."""

from __future__ import annotations

from typing import Any

from lockkeeper.adapters.in_memory.endpoints import InMemoryEndpoints
from lockkeeper.domain.batch import is_parameter
from lockkeeper.domain.deployed import Deployed
from lockkeeper.domain.drift import AlarmSeen, JobSeen
from lockkeeper.domain.hosting import Hosting
from lockkeeper.domain.rollout import EndpointState
from lockkeeper.domain.targets import Fleet

TRUSTS_SAGEMAKER = '{"Principal": {"Service": "sagemaker.amazonaws.com"}}'


class InMemoryLook:
    """Implements `ports.ProductionLook`. What `foreign` has is an endpoint that no release made, by its configuration's name."""

    def __init__(self, production: InMemoryEndpoints) -> None:
        self._production = production
        self.foreign: dict[str, Deployed] = {}
        self.trust: dict[str, str | None] = {}
        """Trust policies of roles, by their ARN; every other role trusts SageMaker."""
        self.permissions: dict[str, bool | None] = {}
        """What roles may do, by action; every other action they may."""
        self.keys: dict[str, str | None] = {}
        self.allowed: dict[str, float] | None = None
        self.drift_alarms: dict[str, AlarmSeen] = {}
        self.monitor_jobs: dict[str, JobSeen] = {}
        self.schedules: dict[str, str] = {}
        """The newest job of each monitoring schedule."""

    def deployed(self, endpoint_name: str) -> Deployed | None:
        state = self._production.look(endpoint_name)
        if state is None or is_parameter(endpoint_name):
            return None
        foreign = self.foreign.get(state.config_name)
        if foreign is not None:
            return foreign
        config = self._production.configs[state.config_name]
        role = self._production.models[config["model"]]["role_arn"]
        return _described(state, config["model"], config["fleet"], config["hosting"], role)

    def alarm_states(self, names: tuple[str, ...]) -> dict[str, str]:
        return self._production.alarm_states(names)

    def alarm(self, name: str) -> AlarmSeen | None:
        return self.drift_alarms.get(name)

    def processing_job(self, name: str) -> JobSeen | None:
        return self.monitor_jobs.get(name)

    def last_monitored(self, schedule: str) -> str:
        return self.schedules.get(schedule, "")

    def role_trust(self, role_arn: str) -> str | None:
        return self.trust.get(role_arn, TRUSTS_SAGEMAKER)

    def may(self, role_arn: str, action: str, resource: str) -> bool | None:  # noqa: ARG002 - tests have one model
        return self.permissions.get(action, True)

    def key_state(self, key: str) -> str | None:
        return self.keys.get(key, "")

    def quotas(self) -> dict[str, float] | None:
        return self.allowed


def _described(state: EndpointState, model: str, fleet: Fleet, hosting: Hosting, role: str) -> Deployed:
    variant: dict[str, Any] = {
        **hosting.variant_settings,
        "VariantName": hosting.variant,
        "ModelName": model,
        **({"ServerlessConfig": {}} if fleet.serverless else {"InstanceType": fleet.instance_type}),
        "InitialInstanceCount": fleet.instances,
    }
    config: dict[str, Any] = {
        "EndpointConfigName": state.config_name,
        "ProductionVariants": [variant],
        "KmsKeyId": hosting.kms_key,
        "DataCaptureConfig": hosting.capture,
    }
    if fleet.asynchronous:
        config["AsyncInferenceConfig"] = {"OutputConfig": {"S3OutputPath": fleet.asynchronous.output}}
    made_of = {
        "VpcConfig": hosting.vpc,
        "EnableNetworkIsolation": hosting.network_isolation,
        "ExecutionRoleArn": role,
    }
    endpoint = {"EndpointName": state.name, "EndpointStatus": state.status}
    return Deployed(endpoint, config, made_of, config_tags=hosting.tags)
