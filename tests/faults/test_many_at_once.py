"""A thousand releases wait at once, and every event comes three times and shuffled: nothing lost, nothing doubled, no dearer."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any

import pytest
import yaml
from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.adapters.in_memory.world import HUB
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.errors import DecisionRefused
from lockkeeper.domain.policy import parse_policy
from lockkeeper.domain.release import Status
from lockkeeper.use_cases import open_release, pinned
from lockkeeper.use_cases.decide_approval import decide_by_link
from lockkeeper.use_cases.react_to_registry import react_to_registry
from lockkeeper.use_cases.reap_release import reap_release
from lockkeeper.use_cases.resume_release import resume_release

from tests.conftest import Figure
from tests.unit.breaking import WatchedWorld
from tests.unit.harbour import IMAGE, IMAGE_DIGEST, REGION, archive, endpoint_event, policy_document, quality_report
from tests.unit.machine import Machine

TIMES = 3
SIZES = (10, 100, 1000)
Event = dict[str, Any]


class CountingWorld(WatchedWorld):
    """Counts every call of an adapter."""

    calls: Counter[str]

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        self.calls[name] += 1
        return call()


class Fleet:
    """Many groups, a release of each, all in the same state at the same time."""

    def __init__(self, size: int) -> None:
        self.world = InMemoryWorld()
        self.inside = CountingWorld(self.world)
        self.inside.calls = Counter()
        self.machine = Machine(self.world, self.inside)  # type: ignore[arg-type]
        self.groups = [f"group-{number}" for number in range(size)]
        self.chance = random.Random(size)
        for group in self.groups:
            self._prepare(group)

    def _prepare(self, group: str) -> None:
        document = policy_document() | {"model_package_group": group}
        document["production"] = document["production"] | {"endpoint_name": group, "alarms": []}
        document["production"]["strategy"] = {"bake": "10m"}
        self.world.policies.save(group, yaml.safe_dump(document), "arn:aws:iam::111111111111:user/test")
        self.world.objects.stored[f"s3://models/{group}/model.tar.gz"] = archive(group.encode())
        self.world.objects.stored[f"s3://models/{group}/quality.json"] = quality_report(0.8)
        container = {"Image": IMAGE, "ImageDigest": IMAGE_DIGEST, "ModelDataUrl": f"s3://models/{group}/model.tar.gz"}
        self.world.registry.packages[arn_of(group)] = {
            "CreationTime": self.world.clock.now(),
            "ModelPackageArn": arn_of(group),
            "ModelPackageStatus": "Completed",
            "ModelApprovalStatus": "PendingManualApproval",
            "CustomerMetadataProperties": {"author": "lin"},
            "InferenceSpecification": {"Containers": [container], "SupportedContentTypes": ["text/csv"]},
            "ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": f"s3://models/{group}/quality.json"}}},
        }

    def shuffled(self, hear: Callable[[Event], Any], events: list[Event]) -> None:
        """Every event three times, in any order."""
        many = events * TIMES
        self.chance.shuffle(many)
        for event in many:
            hear(event)

    def go_on(self) -> None:
        """Executions, then endpoints, then everything said about the endpoints; until nothing moves."""
        moved = True
        while moved:
            self.machine.run()
            changed = [
                endpoint_event(endpoints.arn_of(name))
                for endpoints in (self.world.staging, self.world.production)
                for name in list(endpoints.endpoints)
                if endpoints.advance(name)
            ]
            self.shuffled(self._hear_of_endpoint, changed)
            moved = bool(changed)

    def _hear_of_endpoint(self, event: Event) -> None:
        resume_release(event, self.inside)  # type: ignore[arg-type]
        reap_release(event, self.inside)  # type: ignore[arg-type]

    def register_all(self) -> None:
        events = [package_event(group) for group in self.groups]
        self.shuffled(lambda event: react_to_registry(event, self.inside), events)  # type: ignore[arg-type]
        self.go_on()

    def approve_all(self) -> None:
        letters = [one for one in self.world.mail.letters if one.approver == "Ada"] * TIMES
        self.chance.shuffle(letters)
        for letter in letters:
            try:
                decide_by_link(letter.text.split("/approvals/")[1].split()[0], Answer.APPROVE, "", self.inside)  # type: ignore[arg-type]
            except DecisionRefused:
                continue
        self.go_on()

    def end_all_bakes(self) -> None:
        for group in self.groups:
            self.world.production.invoke(group, "1,2", "text/csv", "text/csv")
        self.world.clock.advance(timedelta(minutes=11))
        due = self.world.schedules.due(self.world.clock.now())
        self.shuffled(lambda event: resume_release(event, self.inside), due)  # type: ignore[arg-type]
        self.go_on()

    def statuses(self) -> Counter[Status]:
        return Counter(one.status for one in self.world.ledger.releases())


def arn_of(group: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{HUB}:model-package/{group}/1"


def package_event(group: str) -> Event:
    return {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Model Package State Change",
        "account": HUB,
        "region": REGION,
        "detail": {"ModelPackageArn": arn_of(group), "ModelPackageStatus": "Completed"},
    }


@pytest.fixture(autouse=True)
def _read_each_policy_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a policy is a pure function of its text, and most of the time of a journey."""
    once = lru_cache(parse_policy)
    monkeypatch.setattr(pinned, "parse_policy", once)
    monkeypatch.setattr(open_release, "parse_policy", once)


def played(size: int) -> Fleet:
    """So many releases from their registration to their end, all waiting in the same place at the same time."""
    fleet = Fleet(size)
    fleet.register_all()
    assert fleet.statuses() == {Status.AWAITING_APPROVAL: size}
    fleet.approve_all()
    assert fleet.statuses() == {Status.BAKING: size}
    fleet.end_all_bakes()
    return fleet


def test_a_thousand_releases_at_once_are_promoted_once_each_at_the_same_cost(figure: Figure) -> None:
    fleets = {size: played(size) for size in SIZES}
    for size, fleet in fleets.items():
        promoted = Counter(
            detail["release_id"] for kind, detail in fleet.world.publisher.published if kind == "Release Promoted"
        )
        lost = size - fleet.statuses()[Status.PROMOTED]
        doubled = sum(count - 1 for count in promoted.values())
        figure(
            f"{size} releases at once, every event {TIMES} times",
            f"{lost} lost, {doubled} doubled",
            "0 lost, 0 doubled",
        )
        assert (lost, doubled) == (0, 0)
        assert len(fleet.world.tasks.started) == len(fleet.world.ledger.crowned) == size
        assert {one for one, count in promoted.items() if count == 1} == set(fleet.world.tasks.started)
        assert fleet.inside.calls["production.create"] == size
        assert fleet.world.staging.endpoints == {}
    costs = {size: fleet.inside.calls.total() / size for size, fleet in fleets.items()}
    figure("calls per release, 10 to 1,000 at once", ", ".join(f"{cost:.1f}" for cost in costs.values()), "constant")
    assert max(costs.values()) == min(costs.values()), costs
