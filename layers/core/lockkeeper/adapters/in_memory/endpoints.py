"""SageMaker endpoints in memory: they take their time until a test lets it pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lockkeeper.domain.alarms import MadeAlarm, Watched
from lockkeeper.domain.batch import BATCH, is_parameter
from lockkeeper.domain.errors import DeploymentFailed, TryAgain
from lockkeeper.domain.hosting import VARIANT, Hosting
from lockkeeper.domain.model_package import Served
from lockkeeper.domain.online.rows import LONGEST_ANSWER, Answered
from lockkeeper.domain.release import RELEASE_TAG, is_staging_name
from lockkeeper.domain.rollout import AlarmLook, Deployment, EndpointState
from lockkeeper.domain.scaling import Scaled
from lockkeeper.domain.targets import ASYNC, Fleet, Queued
from lockkeeper.ports import Clock

Serving = Callable[[str, str], Answered]
"""What a model answers: (body, content type) to an answer."""
UPDATABLE = frozenset({"InService", "UpdateRollbackFailed"})
CHANGING = frozenset({"Creating", "Updating", "Deleting"})


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as AWS sees it; `pending_config` is where an update leads to."""

    state: EndpointState
    pending_config: str = ""


class InMemoryEndpoints:
    """Implements `ports.Endpoints`. `advance` ends whatever an endpoint is doing well, `fail` ends it badly."""

    def __init__(self, clock: Clock, account: str, region: str = "eu-central-1") -> None:
        self.account = account
        self.execution_role_arn = f"arn:aws:iam::{account}:role/endpoint-execution"
        self._clock = clock
        self._place = f"{region}:{account}"
        self.models: dict[str, dict[str, Any]] = {}
        self.configs: dict[str, dict[str, Any]] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.alarm_changes: dict[str, list[tuple[datetime, str]]] = {}
        self.made_alarms: dict[str, tuple[MadeAlarm, Watched]] = {}
        """Alarms that were made, with the fleet that they are about."""
        self.deployments: dict[str, Deployment | None] = {}
        """How each endpoint was updated last."""
        self.scaled: dict[str, Scaled] = {}
        self.kept_capacity: dict[str, bool] = {}
        """Whether each endpoint kept its instances when it was updated last."""
        self.measured: dict[tuple[str, str, str], tuple[float, int]] = {}
        """Sum and number of a metric's values, by endpoint, variant and metric."""
        self.requests: list[tuple[datetime, str]] = []
        self.objects: dict[str, bytes] = {}
        """What is in S3 for the model's role and for whom it answers: requests that are queued, and what was written of them."""
        self.tags: dict[str, dict[str, str]] = {}
        self.serving: Serving = lambda body, _: Answered(200, "text/csv", "\n".join("0" for _ in body.splitlines()))

    def advance(self, endpoint_name: str) -> bool:
        """Creating and Updating become InService, Deleting becomes nothing; False when nothing was under way."""
        endpoint = self.endpoints[endpoint_name]
        if endpoint.state.status not in CHANGING:
            return False
        if endpoint.state.status == "Deleting":
            del self.endpoints[endpoint_name]
            return True
        config = endpoint.pending_config or endpoint.state.config_name
        self.endpoints[endpoint_name] = Endpoint(
            replace(endpoint.state, status="InService", config_name=config, failure_reason="")
        )
        return True

    def fail(self, endpoint_name: str, reason: str) -> None:
        """A failed creation leaves a Failed endpoint; a failed update leaves what served before."""
        state = self.endpoints[endpoint_name].state
        status = "Failed" if state.status == "Creating" else "InService"
        self.change(endpoint_name, status, reason)

    def change(self, endpoint_name: str, status: str, reason: str = "") -> None:
        """Whatever an endpoint is doing ends in a status, with the configuration that it had."""
        state = self.endpoints[endpoint_name].state
        self.endpoints[endpoint_name] = Endpoint(replace(state, status=status, failure_reason=reason))

    def change_alarm(self, name: str, state: str) -> None:
        """An alarm goes into a state now."""
        self.alarm_changes.setdefault(name, []).append((self._clock.now(), state))

    def arn_of(self, endpoint_name: str) -> str:
        if is_parameter(endpoint_name):
            return f"arn:aws:ssm:{self._place}:parameter{endpoint_name}"
        return f"arn:aws:sagemaker:{self._place}:endpoint/{endpoint_name.lower()}"

    def alarm_arn(self, name: str) -> str:
        return f"arn:aws:cloudwatch:{self._place}:alarm:{name}"

    def look(self, endpoint_name: str) -> EndpointState | None:
        endpoint = self.endpoints.get(endpoint_name)
        return replace(endpoint.state, pending_config=endpoint.pending_config) if endpoint else None

    def staging_endpoints(self) -> dict[str, str]:
        return {
            name: self.tags[name].get(RELEASE_TAG, "")
            for name, endpoint in self.endpoints.items()
            if is_staging_name(name) and endpoint.state.status != "Deleting"
        }

    def create_model(
        self,
        name: str,
        *,
        containers: tuple[Served, ...],
        role_arn: str,
        hosting: Hosting,
        tags: dict[str, str],
    ) -> None:
        wanted: dict[str, Any] = {
            "containers": [one.request() for one in containers],
            "role_arn": role_arn,
            "tags": tags,
            "hosting": hosting,
        }
        self.models.setdefault(name, wanted)

    def create_config(self, name: str, *, model: str, fleet: Fleet, hosting: Hosting, tags: dict[str, str]) -> None:
        if model not in self.models:
            raise DeploymentFailed(f"create_endpoint_config was refused: could not find model {model!r}")
        wanted = {"model": model, "fleet": fleet, "tags": tags, "hosting": hosting}
        self.configs.setdefault(name, wanted)

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
        self._require_config(beside)
        if model not in self.models:
            raise DeploymentFailed(f"create_endpoint_config was refused: could not find model {model!r}")
        shadow = {"model": model, "fleet": fleet, "hosting": hosting, "percent": percent, "to": to}
        self.configs.setdefault(name, {**self.configs[beside], "tags": tags, "shadow": shadow})

    def create(self, endpoint_name: str, config_name: str, tags: dict[str, str]) -> bool:
        if endpoint_name in self.endpoints:
            return False
        if is_parameter(endpoint_name):
            self._name_champion(endpoint_name, config_name)
            return True
        self._require_config(config_name)
        self.tags[endpoint_name] = tags
        target = self.configs[config_name]["fleet"].target
        state = EndpointState(endpoint_name, self.arn_of(endpoint_name), "Creating", config_name, target=target)
        self.endpoints[endpoint_name] = Endpoint(state)
        return True

    def update(
        self,
        endpoint_name: str,
        config_name: str,
        deployment: Deployment | None = None,
        *,
        keep_capacity: bool = False,
    ) -> None:
        if is_parameter(endpoint_name):
            self._name_champion(endpoint_name, config_name)
            return
        self._require_config(config_name)
        state = self._existing(endpoint_name)
        if endpoint_name in self.scaled and self._type(state.config_name) != self._type(config_name):
            raise DeploymentFailed(f"endpoint {endpoint_name} cannot be updated: it is scaled, its instance type stays")
        if state.status not in UPDATABLE:
            raise TryAgain(f"endpoint {endpoint_name} cannot be updated: it is {state.status}")
        self.deployments[endpoint_name] = deployment
        self.kept_capacity[endpoint_name] = keep_capacity
        self.endpoints[endpoint_name] = Endpoint(replace(state, status="Updating"), config_name)

    def delete(self, endpoint_name: str) -> None:
        endpoint = self.endpoints.get(endpoint_name)
        if endpoint is None:
            return
        if is_parameter(endpoint_name):
            del self.endpoints[endpoint_name]
            return
        if endpoint.state.status in CHANGING:
            raise TryAgain(f"endpoint {endpoint_name} cannot be deleted: it is {endpoint.state.status}")
        self.endpoints[endpoint_name] = Endpoint(replace(endpoint.state, status="Deleting"))

    def delete_config(self, name: str) -> None:
        self.configs.pop(name, None)

    def models_and_configs(self, group: str) -> set[str]:
        return {name for name in (*self.models, *self.configs) if name.startswith(f"lockkeeper-{group}")}

    def delete_model(self, name: str) -> None:
        self.models.pop(name, None)

    def invoke(
        self, endpoint_name: str, body: str, content_type: str, accept: str, *, seconds: int = LONGEST_ANSWER
    ) -> Answered:
        del accept, seconds  # The model behind `serving` has one way to answer, and no test waits.
        state = self._existing(endpoint_name)
        if state.status not in {"InService", "Updating"}:
            raise DeploymentFailed(f"endpoint {endpoint_name} cannot be invoked: it is {state.status}")
        self.requests.append((self._clock.now(), endpoint_name))
        return self.serving(body, content_type)

    def enqueue(
        self, endpoint_name: str, request_uri: str, content_type: str, accept: str, inference_id: str
    ) -> Queued:
        fleet = self.configs[self._existing(endpoint_name).config_name]["fleet"]
        queued = Queued(
            f"{fleet.asynchronous.output}/{inference_id}.out", f"{fleet.asynchronous.failures}/{inference_id}"
        )
        answered = self.invoke(endpoint_name, self.objects[request_uri].decode(), content_type, accept)
        self.objects[queued.answer if answered.status == 200 else queued.failure] = answered.body.encode()
        return queued

    def written(self, uri: str) -> str | None:
        return self.objects[uri].decode() if uri in self.objects else None

    def alarms(self, names: tuple[str, ...], since: datetime) -> tuple[AlarmLook, ...]:
        looks = []
        for name in names:
            changes = self.alarm_changes.get(name, [])
            alarmed = any(state == "ALARM" and at >= since for at, state in changes)
            looks.append(AlarmLook(name, changes[-1][1] if changes else "missing", alarmed))
        return tuple(looks)

    def alarm_states(self, names: tuple[str, ...]) -> dict[str, str]:
        return {look.name: look.state for look in self.alarms(names, self._clock.now())}

    def make_alarm(self, name: str, alarm: MadeAlarm, fleet: Watched, description: str) -> None:
        del description  # For people only.
        self._require_config(fleet.config_name)
        self.made_alarms[name] = (alarm, fleet)
        self.alarm_changes.setdefault(name, [(self._clock.now(), "INSUFFICIENT_DATA")])

    def delete_alarm(self, name: str) -> None:
        self.made_alarms.pop(name, None)
        self.alarm_changes.pop(name, None)

    def metric(
        self, endpoint_name: str, variant: str, name: str, since: datetime, until: datetime
    ) -> tuple[float, int]:
        del since, until  # A test says what a variant has come to.
        return self.measured.get((endpoint_name, variant, name), (0.0, 0))

    def invocations(
        self, endpoint_name: str, variant: str, since: datetime, until: datetime, *, queued: bool = False
    ) -> int:
        del variant  # Every endpoint here has one.
        known = self.endpoints.get(endpoint_name)
        if known and queued != (known.state.target == ASYNC):
            return 0  # They are counted by another metric.
        return sum(name == endpoint_name and since <= at <= until for at, name in self.requests)

    def scaling(self, endpoint_name: str, variant: str = VARIANT) -> Scaled | None:
        del variant  # Every endpoint here has one.
        return self.scaled.get(endpoint_name)

    def scale(self, endpoint_name: str, wanted: Scaled, variant: str = VARIANT) -> None:
        del variant
        self._existing(endpoint_name)
        known = self.scaled.get(endpoint_name)
        self.scaled[endpoint_name] = replace(wanted, others=known.others if known else ())

    def stop_scaling(self, endpoint_name: str, variant: str = VARIANT) -> None:
        del variant
        self.scaled.pop(endpoint_name, None)

    def instance_type_of(self, config_name: str) -> str:
        return self._type(config_name)

    def _type(self, config_name: str) -> str:
        known = self.configs.get(config_name, {}).get("fleet")
        return str(known.instance_type) if known else ""

    def _name_champion(self, parameter: str, model_name: str) -> None:
        """A parameter says what it was told at once."""
        if model_name not in self.models:
            raise TryAgain(f"parameter {parameter} cannot name model {model_name}: could not find it")
        state = EndpointState(parameter, self.arn_of(parameter), "InService", model_name, target=BATCH)
        self.endpoints[parameter] = Endpoint(state)

    def _existing(self, endpoint_name: str) -> EndpointState:
        if endpoint_name not in self.endpoints:
            raise DeploymentFailed(f"could not find endpoint {endpoint_name!r}")
        return self.endpoints[endpoint_name].state

    def _require_config(self, name: str) -> None:
        if name not in self.configs:
            raise DeploymentFailed(f"could not find endpoint configuration {name!r}")
