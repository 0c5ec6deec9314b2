"""Events as best effort: what the settings ask for happens, the same for the same seed, and stays understandable."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from lockkeeper.domain.accounts import Accounts
from lockkeeper.domain.events import EndpointHint, wait_hint

from localcloud.sagemaker import quirks
from localcloud.sagemaker.quirks import BAD_DAY, LOOKED_AFTER, OFF, Mischief, Quirks

DOCUMENT = Path(__file__).parents[3] / "docs" / "local-sagemaker.md"
CHANGE, DEPLOYMENT = LOOKED_AFTER
PACKAGE = "SageMaker Model Package State Change"
ARN = "arn:aws:sagemaker:us-east-1:111122223333:endpoint/wages"
DETAIL = {
    "EndpointName": "wages",
    "EndpointArn": ARN,
    "EndpointStatus": "IN_SERVICE",
    "CreationTime": 1795510800000.0,
    "Tags": {"team": "pay"},
}


def day(asked: Quirks, kind: str = CHANGE, events: int = 200) -> list[list[quirks.Delivery]]:
    """What becomes of so many events about one endpoint."""
    mischief = Mischief()
    return [mischief.deliveries(asked, kind, ARN, DETAIL) for _ in range(events)]


def test_nothing_happens_unless_somebody_asks(tmp_path: Path) -> None:
    assert quirks.read(tmp_path) == OFF
    for deliveries in day(OFF):
        assert [(one.delay, one.detail) for one in deliveries] == [(0.0, DETAIL)]


def test_the_same_seed_gives_the_same_day_whatever_else_happens() -> None:
    assert day(BAD_DAY) == day(BAD_DAY)
    mischief, alone = Mischief(), day(BAD_DAY)
    for expected in alone:
        mischief.deliveries(BAD_DAY, CHANGE, ARN + "-other", DETAIL)
        assert mischief.deliveries(BAD_DAY, CHANGE, ARN, DETAIL) == expected
    assert day(BAD_DAY) != day(Quirks(**{**asdict(BAD_DAY), "seed": 2}))


def test_every_event_comes_twice_or_more_when_all_are_doubled() -> None:
    assert {len(deliveries) for deliveries in day(Quirks(duplicate=1.0))} == {3}
    counts = [len(deliveries) for deliveries in day(Quirks(duplicate=0.5))]
    assert {1, 2, 3} == set(counts)


def test_events_overtake_each_other() -> None:
    due = [number + one.delay for number, (one,) in enumerate(day(Quirks(delay_seconds=30.0)))]
    assert due != sorted(due)
    assert max(one.delay for (one,) in day(Quirks(delay_seconds=30.0))) <= 30.0


def test_only_what_somebody_looks_after_gets_lost() -> None:
    asked = Quirks(drop=0.5)
    for kind in LOOKED_AFTER:
        lost = sum(not deliveries for deliveries in day(asked, kind))
        assert 60 < lost < 140
    assert all(day(asked, PACKAGE))
    assert not all(day(Quirks(drop=0.5, droppable=(PACKAGE,)), PACKAGE))


def test_another_spelling_is_still_the_same_hint() -> None:
    spelt = [one.detail for (one,) in day(Quirks(spelling=1.0))]
    for detail in spelt:
        event = {"source": "aws.sagemaker", "detail-type": CHANGE, "account": "111122223333", "detail": detail}
        assert wait_hint(event, Accounts(*["111122223333"] * 4)) == EndpointHint(ARN)
        assert detail["EndpointName"] == "wages"
    assert {type(detail["CreationTime"]) for detail in spelt} == {int, float, str, type(None)}
    assert {detail["EndpointStatus"] for detail in spelt} == {"IN_SERVICE", "InService"}
    assert {type(detail["Tags"]) for detail in spelt} == {dict, list, type(None)}
    assert DETAIL["Tags"] == {"team": "pay"}


def milliseconds(value: float | str) -> int:
    """A time in any of the four spellings."""
    if isinstance(value, str) and "T" in value:
        return int(datetime.fromisoformat(value).timestamp() * 1000)
    number = float(value)
    return int(number if number > 1e11 else number * 1000)


def test_times_keep_their_moment() -> None:
    times = [one.detail["CreationTime"] for (one,) in day(Quirks(spelling=1.0))]
    assert {milliseconds(time) for time in times if time is not None} == {1795510800000}


def test_the_settings_can_be_written_and_read(tmp_path: Path) -> None:
    quirks.write(tmp_path, BAD_DAY)
    assert quirks.read(tmp_path) == BAD_DAY


@pytest.mark.parametrize(
    "document",
    [{"duplicates": 1}, {"drop": 1.5}, {"spelling": -0.1}, {"delay_seconds": -1}, {"drop": "often"}, {"droppable": 3}],
)
def test_settings_that_are_none_are_refused(tmp_path: Path, document: dict[str, Any]) -> None:
    (tmp_path / quirks.FILE).write_text(json.dumps(document))
    with pytest.raises((ValueError, TypeError)):
        quirks.read(tmp_path)


def test_every_setting_is_documented() -> None:
    table = DOCUMENT.read_text().split("## Events on a bad day")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` ", table, re.MULTILINE) == [
        "seed", "duplicate", "delay_seconds", "drop", "droppable", "spelling",
    ]  # fmt: skip
    assert set(re.findall(r"^\| `(\w+)` ", table, re.MULTILINE)) == {one.name for one in fields(Quirks)}
