"""A harbour whose second version is a shadow beside the first: what both are asked is captured as SageMaker does it."""

from __future__ import annotations

import json
from typing import Any

from lockkeeper.domain.release import Status

from tests.unit.harbour import ENDPOINT, Harbour, policy_document
from tests.unit.test_guarded_production import guarded_policy

CHAMPION, SHADOW = "AllTraffic", "Shadow"
BESIDE = "lockkeeper-wages-v2-a1-shadow"
FIRST, SECOND = "lockkeeper-wages-v1-a1-production", "lockkeeper-wages-v2-a1-production"
SCHEDULE = "lockkeeper-wages-v2-a1-shadow"


def shadowed_policy(**shadow: Any) -> dict[str, Any]:
    """A canary after a shadow of an hour that wants ten requests."""
    return guarded_policy(shadow={"wait": "1h", "minimum_requests": 10, **shadow})


def at_once_policy(**shadow: Any) -> dict[str, Any]:
    """The same, all at once then and on one instance."""
    document = policy_document()
    document["production"]["strategy"] |= {"shadow": {"wait": "1h", "minimum_requests": 10, **shadow}}
    return document


def record(asked: str, answer: str) -> str:
    """A line of a capture."""
    sides = {"endpointInput": (asked, "INPUT"), "endpointOutput": (answer, "OUTPUT")}
    data = {
        name: {"observedContentType": "text/csv", "mode": mode, "data": text, "encoding": "CSV"}
        for name, (text, mode) in sides.items()
    }
    return json.dumps({"captureData": data, "eventMetadata": {"eventId": "x"}, "eventVersion": "0"})


def captured(harbour: Harbour, variant: str, answers: list[str], file: str = "00-00-001.jsonl") -> None:
    """SageMaker writes what a variant was asked (its row's number) and answered."""
    lines = "".join(f"{record(f'{number},1', answer)}\n" for number, answer in enumerate(answers))
    key = f"captured/shadows/wages-v2-a1/{ENDPOINT}/{variant}/2026/11/24/09/{file}"
    harbour.world.objects.stored[harbour.world.objects.address_of(key)] = lines.encode()


def took(harbour: Harbour, champion: float, candidate: float, count: int = 20) -> None:
    """CloudWatch knows how long both took on average, in milliseconds."""
    for variant, milliseconds in ((CHAMPION, champion), (SHADOW, candidate)):
        harbour.world.production.measured[ENDPOINT, variant, "ModelLatency"] = (1000 * milliseconds * count, count)


def asked_both(harbour: Harbour, requests: int = 20, alike: int = 20) -> None:
    """Requests flow while the shadow is up; so many are answered alike, equally fast."""
    captured(harbour, CHAMPION, ["1"] * requests)
    captured(harbour, SHADOW, ["1"] * alike + ["0"] * (requests - alike))
    took(harbour, 5, 5)


def begin_shadow(harbour: Harbour) -> None:
    """The first version serves, and the second one is its shadow."""
    harbour.promote(1)
    harbour.register(2)
    harbour.approve()
    assert harbour.release(2).status is Status.PROMOTING
    assert harbour.serving() == BESIDE
