"""A cloud of dictionaries for the local SageMaker: what it stored, emitted and measured can be looked at."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.sagemaker.cloud import JsonObject, Place, StoredObject
from tests.patience import PATIENCE


@dataclass(frozen=True)
class Event:
    """What was put on a bus."""

    place: Place
    detail_type: str
    detail: JsonObject
    resources: Sequence[str]


@dataclass
class InMemoryCloud:
    """Implements `localcloud.sagemaker.cloud.Cloud`. Roles may do everything unless `denied` says otherwise."""

    objects: dict[str, bytes] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    metrics: list[tuple[str, float, dict[str, str]]] = field(default_factory=list)
    denied: set[tuple[str, str]] = field(default_factory=set)
    strangers: set[str] = field(default_factory=set)
    digests: dict[str, str] = field(default_factory=dict)
    alarms: dict[str, bool] = field(default_factory=dict)
    policy: Callable[[str, str, str, str], bool] = lambda *_: False
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def now(self) -> float:
        return time.time()

    def list_objects(self, place: Place, uri: str) -> Sequence[StoredObject]:
        bucket = uri.split("/")[2]
        found = sorted(known for known in self.objects if known.startswith(uri))
        return [StoredObject(known.removeprefix(f"s3://{bucket}/"), len(self.objects[known])) for known in found]

    def read(self, place: Place, uri: str) -> bytes:
        if uri not in self.objects:
            raise FileNotFoundError(uri)
        return self.objects[uri]

    def download(self, place: Place, uri: str, target: Path) -> None:
        target.write_bytes(self.read(place, uri))

    def upload(self, place: Place, source: Path, uri: str) -> None:
        self.objects[uri] = source.read_bytes()

    def may(
        self, place: Place, role_arn: str, action: str, uri: str, conditions: Mapping[str, str] | None = None
    ) -> bool:
        return (role_arn, action) not in self.denied

    def role_allows(self, place: Place, role_arn: str, action: str, arn: str, conditions: dict[str, str]) -> bool:
        return (role_arn, action) not in self.denied

    def may_assume(self, role_arn: str) -> bool:
        return role_arn not in self.strangers

    def policy_allows(self, policy: str, caller_arn: str, action: str, arn: str) -> bool:
        return self.policy(policy, caller_arn, action, arn)

    def image_digest(self, image: str) -> str | None:
        return self.digests.get(image)

    def job_environment(self, place: Place, role_arn: str) -> dict[str, str]:
        return {"AWS_REGION": place.region}

    def alarms_in_alarm(self, place: Place, names: Sequence[str]) -> list[str]:
        return [name for name in names if self.alarms.get(name, True)]

    def emit(self, place: Place, detail_type: str, detail: JsonObject, resources: Sequence[str]) -> None:
        with self._changed:
            self.events.append(Event(place, detail_type, detail, resources))
            self._changed.notify_all()

    def put_metric(self, place: Place, name: str, value: float, unit: str, dimensions: dict[str, str]) -> None:
        self.metrics.append((name, value, dimensions))

    def wait_for(self, condition: Callable[[], Any], seconds: float = PATIENCE) -> None:
        """Return as soon as the condition holds; it is looked at after every event."""
        deadline = time.monotonic() + seconds
        # The condition is looked at without the lock: it may call SageMaker, which emits under locks of its own.
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0, "it did not happen in time"
            with self._changed:
                self._changed.wait(min(left, 0.05))

    def details(self, detail_type: str) -> list[JsonObject]:
        """The details of all events of a kind, in their order."""
        return [event.detail for event in self.events if event.detail_type == detail_type]

    def total(self, name: str, **dimensions: str) -> float:
        """The sum of a metric over exactly these dimensions."""
        return sum(value for metric, value, found in self.metrics if metric == name and found == dimensions)
