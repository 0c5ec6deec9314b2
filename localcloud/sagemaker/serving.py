"""What serves an endpoint at this moment: generations of fleets, and the traffic's way among them."""

import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.sagemaker.capture import Captured
from localcloud.sagemaker.cloud import Cloud, JsonObject, Place
from localcloud.sagemaker.containers import containers_of, stage
from localcloud.sagemaker.environments import Environments
from localcloud.sagemaker.fleet import Fleet
from localcloud.sagemaker.hosting_role import may_log, pull_image
from localcloud.sagemaker.series import Series
from localcloud.sagemaker.store import Store, new_id

STARTUP_SECONDS = 480.0
"""How long AWS lets a container take to pass its first ping, unless the variant says otherwise."""


@dataclass(frozen=True)
class Generation:
    """The fleets of one endpoint configuration, by variant, and the folder they work in.

    `shadows` has the variants that get copies of requests, with the share of them; nobody gets their answers. `captured` says
    of which variants requests and answers are kept.
    """

    config_name: str
    fleets: Mapping[str, Series]
    images: Mapping[str, list[tuple[str, str]]]
    folder: Path
    shadows: Mapping[str, float] = field(default_factory=dict)
    captured: Mapping[str, Captured] = field(default_factory=dict)

    def retire(self) -> None:
        """Let the requests in flight end, then end the processes and remove their files."""
        for fleet in self.fleets.values():
            fleet.drain_and_stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Traffic:
    """Which generation gets what share of the requests. It is replaced as a whole, never changed."""

    shares: tuple[tuple[Generation, float], ...]

    @classmethod
    def all_to(cls, generation: Generation) -> "Traffic":
        return cls(((generation, 1.0),))

    @classmethod
    def split(cls, old: Generation | None, new: Generation, share: float) -> "Traffic":
        """`share` of the requests goes to the new generation, the rest to the old one, if there is one."""
        if old is None or share >= 1.0:
            return cls.all_to(new)
        return cls(((old, 1.0 - share), (new, share)))

    def choose(self) -> Generation:
        """The generation for the next request."""
        generations, weights = zip(*self.shares, strict=True)
        chosen: Generation = random.choices(generations, weights)[0]  # noqa: S311 - a share, not a secret
        return chosen


class Launcher:
    """Brings up the fleets of an endpoint configuration."""

    def __init__(self, store: Store, cloud: Cloud, environments: Environments, work: Path, logs: Path) -> None:
        self._store = store
        self._cloud = cloud
        self._environments = environments
        self._work = work
        self._logs = logs

    def launch(self, place: Place, endpoint_name: str, config: JsonObject) -> Generation:
        """Start a fleet per variant and return when all are healthy.

        Raises WorkFailedError with the first reason why they are not; nothing is left running then.
        """
        folder = self._work / place.account / place.region / f"{endpoint_name}-{new_id(8)}"
        log_file = self.log_file(place, endpoint_name)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        fleets: dict[str, Series] = {}
        images: dict[str, list[tuple[str, str]]] = {}
        captured: dict[str, Captured] = {}
        variants = [*config["ProductionVariants"], *config.get("ShadowProductionVariants", [])]
        generation = Generation(config["EndpointConfigName"], fleets, images, folder, shadow_shares(config), captured)
        try:
            for variant in variants:
                name = variant["VariantName"]
                fleets[name], images[name] = Series([]), []
                for container in containers_of(self._store, place, variant["ModelName"]):
                    images[name].append((container.image, container.resolved_image))
                    home = folder / name / container.name
                    home.mkdir(parents=True)
                    pull_image(self._cloud, place, container.role_arn, container.image)
                    may_log(self._cloud, place, container.role_arn, endpoint_name, name, container.name)
                    model = stage(self._cloud, self._environments, place, container, home, log_file)
                    fleets[name].fleets.append(Fleet.start(name, container.name, model, home, log_file))
                    if config.get("DataCaptureConfig"):
                        whose = (place, endpoint_name, name, config["DataCaptureConfig"], container.role_arn)
                        captured[name] = Captured(*whose)
            for variant in variants:
                seconds = variant.get("ContainerStartupHealthCheckTimeoutInSeconds", STARTUP_SECONDS)
                fleets[variant["VariantName"]].wait_until_healthy(seconds)
        except BaseException:
            for fleet in fleets.values():
                fleet.stop()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return generation

    def log_file(self, place: Place, endpoint_name: str) -> Path:
        """Where the containers of an endpoint write their output."""
        return self._logs / f"{place.account}-{place.region}-{endpoint_name}.log"


def shadow_shares(config: JsonObject) -> dict[str, float]:
    """The share of the requests that each shadow variant gets copies of: its weight, of that of the variant that answers."""
    (answering, *_) = config["ProductionVariants"]
    weight = float(answering.get("InitialVariantWeight", 1.0))
    return {
        one["VariantName"]: min(float(one.get("InitialVariantWeight", 1.0)) / weight, 1.0) if weight else 0.0
        for one in config.get("ShadowProductionVariants", [])
    }
