"""Bringing endpoints up, from one configuration to the next, and down: what happens after the call is answered."""

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.sagemaker import rollout, scalable_targets
from localcloud.sagemaker.background import Background
from localcloud.sagemaker.capture import summary
from localcloud.sagemaker.cloud import Cloud, JsonObject, Place
from localcloud.sagemaker.containers import containers_of
from localcloud.sagemaker.errors import WorkFailedError
from localcloud.sagemaker.events import EventPublisher
from localcloud.sagemaker.hosting_role import look_at_alarms
from localcloud.sagemaker.serving import Generation, Launcher, Traffic
from localcloud.sagemaker.store import Store

FAULTS = "sagemaker-faults.json"
"""A file in the run folder, read at every rollback, so that it can be changed while the server runs."""
CREATING = "Creating the new fleet."


@dataclass(frozen=True)
class Faults:
    """What tests make fail that does not fail by itself: `failing_rollbacks` has names of endpoints whose rollback fails."""

    run_folder: Path

    def fails_to_roll_back(self, endpoint_name: str) -> bool:
        try:
            asked = json.loads((self.run_folder / FAULTS).read_text())
        except FileNotFoundError:
            return False
        return endpoint_name in asked["failing_rollbacks"]


@dataclass
class Deployments:
    """The changes under way. Traffic is kept by place and endpoint name in lower case."""

    store: Store
    cloud: Cloud
    events: EventPublisher
    background: Background
    launcher: Launcher
    faults: Faults
    traffic: dict[tuple[Place, str], Traffic] = field(default_factory=dict)

    def start_create(self, place: Place, endpoint: JsonObject, config: JsonObject) -> None:
        """Bring a new endpoint up in the background."""
        self._announce(place, endpoint)
        name = endpoint["EndpointName"]
        self.background.start(f"create endpoint {name}", lambda: self._create(place, endpoint, config))

    def _create(self, place: Place, endpoint: JsonObject, config: JsonObject) -> None:
        try:
            generation = self._launch(place, endpoint, config)
        except WorkFailedError as error:
            self._enter(place, endpoint, "Failed", FailureReason=str(error))
            return
        self._serve(place, endpoint, Traffic.all_to(generation))
        shown = {"ProductionVariants": variants_of(config, generation), **beside(config, generation)}
        self._enter(place, endpoint, "InService", **shown)

    def start_update(
        self, place: Place, endpoint: JsonObject, config: JsonObject, deployment: JsonObject | None, *, keep: bool
    ) -> None:
        """Replace what serves, in the background. `keep` retains the variants' present weights and counts."""
        self._announce(place, endpoint)
        name = endpoint["EndpointName"]
        work = _Update(self, place, endpoint, config, deployment, keep)
        work.put_stage("Creating", CREATING)
        self.background.start(f"update endpoint {name}", work.run)

    def start_resize(self, place: Place, endpoint: JsonObject, desired: list[JsonObject]) -> None:
        """Give variants other weights or instance counts, in the background."""
        self._announce(place, endpoint)
        name = endpoint["EndpointName"]
        self.background.start(f"resize endpoint {name}", lambda: self._resize(place, endpoint, desired))

    def _resize(self, place: Place, endpoint: JsonObject, desired: list[JsonObject]) -> None:
        variants = copy.deepcopy(endpoint["ProductionVariants"])
        for wanted in desired:
            variant = next(one for one in variants if one["VariantName"] == wanted["VariantName"])
            for kind, given in (("Weight", "DesiredWeight"), ("InstanceCount", "DesiredInstanceCount")):
                if given in wanted:
                    variant |= dict.fromkeys((f"Current{kind}", f"Desired{kind}"), wanted[given])
        self._enter(place, endpoint, "InService", ProductionVariants=variants)

    def start_delete(self, place: Place, endpoint: JsonObject) -> None:
        """Take an endpoint down in the background; its name is free when that is done."""
        self._announce(place, endpoint)
        name = endpoint["EndpointName"]
        self.background.start(f"delete endpoint {name}", lambda: self._delete(place, endpoint))

    def _delete(self, place: Place, endpoint: JsonObject) -> None:
        name = endpoint["EndpointName"].lower()
        for generation, _ in self.traffic.pop((place, name), Traffic(())).shares:
            generation.retire()
        with self.store.lock:
            world = self.store.world(place)
            world.endpoints.pop(name, None)
            tags = world.tags.pop(endpoint["EndpointArn"], {})
            scalable_targets.forget(world, endpoint)
            endpoint |= {"EndpointStatus": "Deleted", "LastModifiedTime": self.cloud.now()}
        self.events.endpoint_changed(place, endpoint, tags)

    def stop_all(self) -> None:
        """End every serving process at once."""
        for traffic in list(self.traffic.values()):
            for generation, _ in traffic.shares:
                for fleet in generation.fleets.values():
                    fleet.stop()
        self.traffic.clear()

    def _launch(self, place: Place, endpoint: JsonObject, config: JsonObject) -> Generation:
        generation = self.launcher.launch(place, endpoint["EndpointName"], config)
        if self.background.closing.is_set():
            generation.retire()
            raise WorkFailedError("InternalServerError: the laptop's AWS is being stopped.")
        return generation

    def _serve(self, place: Place, endpoint: JsonObject, traffic: Traffic) -> None:
        self.traffic[place, endpoint["EndpointName"].lower()] = traffic

    def _enter(self, place: Place, endpoint: JsonObject, status: str, **changes: object) -> None:
        """Set the status and further members, forget the last failure unless it is among them, and tell the bus."""
        with self.store.lock:
            endpoint.pop("FailureReason", None)
            endpoint |= {"EndpointStatus": status, "LastModifiedTime": self.cloud.now(), **changes}
        self._announce(place, endpoint)

    def _announce(self, place: Place, endpoint: JsonObject) -> None:
        self.events.endpoint_changed(place, endpoint, self._tags(place, endpoint))

    def _announce_deployment(self, place: Place, endpoint: JsonObject) -> None:
        self.events.deployment_changed(place, endpoint, self._tags(place, endpoint))

    def _tags(self, place: Place, endpoint: JsonObject) -> dict[str, str]:
        return dict(self.store.world(place).tags.get(endpoint["EndpointArn"], {}))


@dataclass
class _Update:
    """One update of one endpoint: the new fleet starts beside the old one, takes over in stages, or is taken back."""

    deployments: Deployments
    place: Place
    endpoint: JsonObject
    config: JsonObject
    deployment: JsonObject | None
    keep: bool

    def run(self) -> None:
        key = (self.place, self.endpoint["EndpointName"].lower())
        present = self.deployments.traffic.get(key)
        # After a rollback that failed there are two: the endpoint serves a mix.
        olds = [generation for generation, _ in present.shares] if present else []
        old = olds[0] if olds else None
        self._show_stage("Creating", CREATING)
        try:
            self._check_role()
            new = self.deployments._launch(self.place, self.endpoint, self.config)
        except WorkFailedError as error:
            self._roll_back(old, None, str(error))
            return
        instances = smallest_variant(self.endpoint, self.config, keep=self.keep)
        for step in rollout.stages(self.deployment, instances):
            self.deployments._serve(self.place, self.endpoint, Traffic.split(old, new, step.share))
            self._show_stage("Baking", self._baking_message(step))
            alarming = self._watch(step)
            if alarming:
                self._roll_back(old, new, f"One or more configured alarms are in alarm: [{', '.join(alarming)}].")
                return
        if olds:
            self._show_stage("Deleting", "Deleting the old fleet.")
        for one in olds:
            one.retire()
        self._finish(new)

    def _check_role(self) -> None:
        """Alarms are looked at under the roles of the models that are to serve."""
        names = rollout.alarm_names(self.deployment)
        models = [variant["ModelName"] for variant in self.config["ProductionVariants"]] if names else []
        roles = {one.role_arn for name in models for one in containers_of(self.deployments.store, self.place, name)}
        for role_arn in sorted(roles):
            look_at_alarms(self.deployments.cloud, self.place, role_arn, names)

    def _watch(self, step: rollout.Stage) -> list[str]:
        """Let a stage's time pass; returns the alarms that ended it early. They are looked at once at least."""
        names = rollout.alarm_names(self.deployment)
        alarming: list[str] = []

        def look() -> bool:
            alarming[:] = self.deployments.cloud.alarms_in_alarm(self.place, names) if names else []
            return bool(alarming)

        self.deployments.background.wait(step.wait_seconds, look)
        return alarming

    def _finish(self, new: Generation) -> None:
        variants = variants_of(self.config, new)
        if self.keep:
            present = {variant["VariantName"]: variant for variant in self.endpoint.get("ProductionVariants", [])}
            for variant in variants:
                kept = present.get(variant["VariantName"], {})
                names = ("CurrentWeight", "DesiredWeight", "CurrentInstanceCount", "DesiredInstanceCount")
                variant |= {name: kept[name] for name in names if name in kept}
        changes: JsonObject = {"EndpointConfigName": new.config_name, "ProductionVariants": variants}
        for member in ("ShadowProductionVariants", "DataCaptureConfig"):
            self.endpoint.pop(member, None)
        changes |= beside(self.config, new)
        if self.config.get("AsyncInferenceConfig"):
            changes["AsyncInferenceConfig"] = self.config["AsyncInferenceConfig"]
        if self.deployment:
            changes["LastDeploymentConfig"] = self.deployment
        self.endpoint.pop("PendingDeploymentSummary", None)
        self.deployments._enter(self.place, self.endpoint, "InService", **changes)

    def _roll_back(self, old: Generation | None, new: Generation | None, reason: str) -> None:
        """The old fleet serves everything again. Without an old one the endpoint is as failed as it was."""
        enter = self.deployments._enter
        name = self.endpoint["EndpointName"]
        if self.deployments.faults.fails_to_roll_back(name):
            enter(self.place, self.endpoint, "UpdateRollbackFailed", FailureReason=reason)
            return
        if old is not None:
            enter(self.place, self.endpoint, "RollingBack", FailureReason=reason)
            self.deployments._serve(self.place, self.endpoint, Traffic.all_to(old))
        if new is not None:
            new.retire()
        self.endpoint.pop("PendingDeploymentSummary", None)
        enter(self.place, self.endpoint, "InService" if old is not None else "Failed", FailureReason=reason)

    def _show_stage(self, status: str, message: str) -> None:
        """Put the state of the deployment where DescribeEndpoint and the deployment event show it, and tell the bus."""
        self.put_stage(status, message)
        self.deployments._announce_deployment(self.place, self.endpoint)

    def put_stage(self, status: str, message: str) -> None:
        """Put the state of the deployment where DescribeEndpoint shows it."""
        now = self.deployments.cloud.now()
        pending = [
            {
                "VariantName": variant["VariantName"],
                "CurrentWeight": variant["InitialVariantWeight"],
                "DesiredWeight": variant["InitialVariantWeight"],
                "CurrentInstanceCount": variant.get("InitialInstanceCount", 1),
                "DesiredInstanceCount": variant.get("InitialInstanceCount", 1),
                "VariantStatus": [{"Status": status, "StatusMessage": message, "StartTime": now}],
            }
            for variant in self.config["ProductionVariants"]
        ]
        with self.deployments.store.lock:
            earlier = self.endpoint.get("PendingDeploymentSummary", {})
            self.endpoint["PendingDeploymentSummary"] = {
                "EndpointConfigName": self.config["EndpointConfigName"],
                "ProductionVariants": pending,
                "StartTime": earlier.get("StartTime", now),
            }

    def _baking_message(self, step: rollout.Stage) -> str:
        seconds, percent = step.wait_seconds, 100 * step.share
        if step.share >= 1.0:
            return f"Baking for {seconds:g} seconds (TerminationWaitInSeconds) with all traffic on the new fleet."
        return (
            f"Baking for {seconds:g} seconds (WaitIntervalInSeconds) with {percent:g}% of the traffic on the new fleet."
        )


def smallest_variant(endpoint: JsonObject, config: JsonObject, *, keep: bool) -> int:
    """Instances of the smallest variant after an update to `config`; `keep` retains those that there are now."""
    present = {one["VariantName"]: one.get("CurrentInstanceCount") for one in endpoint.get("ProductionVariants", [])}
    counts = [
        (keep and present.get(variant["VariantName"])) or variant.get("InitialInstanceCount", 1)
        for variant in config["ProductionVariants"]
    ]
    return min(int(count) for count in counts)


def beside(config: JsonObject, generation: Generation) -> JsonObject:
    """What DescribeEndpoint shows of shadow variants and data capture, where there are any."""
    shown: JsonObject = {}
    if config.get("ShadowProductionVariants"):
        shown["ShadowProductionVariants"] = variants_of(config, generation, "ShadowProductionVariants")
    if capture := config.get("DataCaptureConfig"):
        shown["DataCaptureConfig"] = summary(capture)
    return shown


def variants_of(
    config: JsonObject, generation: Generation | None, member: str = "ProductionVariants"
) -> list[JsonObject]:
    """The variants as DescribeEndpoint shows them."""
    shown = []
    for variant in config[member]:
        weight, name = variant.get("InitialVariantWeight", 1.0), variant["VariantName"]
        summary: JsonObject = {"VariantName": name, "CurrentWeight": weight, "DesiredWeight": weight}
        if generation is not None:
            summary["DeployedImages"] = [
                {"SpecifiedImage": specified, "ResolvedImage": resolved}
                for specified, resolved in generation.images[name]
            ]
        if variant.get("ServerlessConfig"):
            summary["CurrentServerlessConfig"] = variant["ServerlessConfig"]
        else:
            summary |= dict.fromkeys(("CurrentInstanceCount", "DesiredInstanceCount"), variant["InitialInstanceCount"])
        shown.append(summary)
    return shown
