"""SageMaker's events come three times each, shuffled, misspelt, and some never: every release ends as on a good day."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from localcloud.sagemaker import quirks
from localcloud.sagemaker.quirks import Quirks
from tests.conftest import Figure
from tests.e2e.harness import Cloud
from tests.e2e.test_a_promotion import answer_of, prepare, register
from tests.e2e.test_nothing_stranded import endpoints, eventually, keep_house, letters, lock_owner, schedules

pytestmark = pytest.mark.full

DOUBLED_AND_SHUFFLED = Quirks(seed=7, duplicate=1.0, delay_seconds=120.0, spelling=0.7)
LOSSY = Quirks(seed=11, duplicate=0.5, delay_seconds=60.0, spelling=0.7, drop=0.6)


@contextmanager
def quirky(cloud: Cloud, asked: Quirks) -> Iterator[None]:
    quirks.write(cloud.running.run_folder, asked)
    try:
        yield
    finally:
        quirks.write(cloud.running.run_folder, quirks.OFF)


def begun(cloud: Cloud, group: str) -> Counter[str]:
    """How often each of a group's endpoints was created or updated."""
    about = (
        call for call in cloud.calls() if call["action"] in ("sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint")
    )
    names = (str(call["resource"]).rpartition("/")[2] for call in about if call["status"] < 400)
    return Counter(name for name in names if name in (group, *(f"lockkeeper-{group}-v{n}-a1-staging" for n in (1, 2))))


def open_waits(cloud: Cloud, group: str) -> list[str]:
    """Waits of a group's releases that nobody has ended, and resources that somebody still listens to."""
    pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=cloud.outputs["TableName"])
    items = [item for page in pages for item in page["Items"]]
    waits = [
        item
        for item in items
        if item["pk"]["S"].startswith(f"RELEASE#{group}-") and item["sk"]["S"].startswith("WAIT#")
    ]
    listening = [
        item for item in items if item["pk"]["S"].startswith("RESOURCE#") and item["sk"]["S"].startswith(f"{group}-")
    ]
    undelivered = [item["sk"]["S"] for item in waits if not item.get("delivered", {}).get("BOOL")]
    return undelivered + [item["pk"]["S"] for item in listening]


def assert_as_on_a_good_day(cloud: Cloud, group: str) -> None:
    """Two versions, each released once; two staging endpoints and two deployments to production; nothing left."""
    releases = json.loads(cloud.lockkeeper("releases", "--group", group, "--json"))
    assert sorted(one["release_id"] for one in releases) == [f"{group}-v1-a1", f"{group}-v2-a1"]
    assert {one["status"] for one in releases} == {"promoted"}
    assert begun(cloud, group) == {
        group: 2,
        f"lockkeeper-{group}-v1-a1-staging": 1,
        f"lockkeeper-{group}-v2-a1-staging": 1,
    }
    assert answer_of(cloud, group) == "2.0"
    eventually(lambda: endpoints(cloud, group) == [group])
    eventually(lambda: lock_owner(cloud, group) == "")
    assert open_waits(cloud, group) == []
    assert schedules(cloud, group) == []


def test_doubled_and_shuffled_events_change_nothing(cloud: Cloud, tmp_path: Path, figure: Figure) -> None:
    groups = ["doubled", "tripled", "shuffled"]
    for group in groups:
        prepare(cloud, group, tmp_path)
    with quirky(cloud, DOUBLED_AND_SHUFFLED):
        for version in (1, 2):
            for group in groups:
                register(cloud, group, float(version))
            for group in groups:
                cloud.wait_for(f"{group}-v{version}-a1", "promoted")
        for group in groups:
            assert_as_on_a_good_day(cloud, group)
    assert letters(cloud) == 0
    figure(
        "duplicate, shuffled, misspelt events on the laptop's AWS",
        f"{2 * len(groups)} promotions with every SageMaker event three times: one release and one deployment each",
        "1 per release",
    )


def test_lost_events_are_made_up_for(cloud: Cloud, tmp_path: Path, figure: Figure) -> None:
    group, found = "forgetful", []
    prepare(cloud, group, tmp_path)

    def promoted(release_id: str) -> bool:
        found.extend(one for one in keep_house(cloud) if group in one["what"])
        return cloud.is_closed_as(release_id, "promoted")

    with quirky(cloud, LOSSY):
        for version in (1, 2):
            register(cloud, group, float(version))
            eventually(lambda version=version: promoted(f"{group}-v{version}-a1"))
        eventually(lambda: keep_house(cloud) == [] and endpoints(cloud, group) == [group])
        assert_as_on_a_good_day(cloud, group)
    lost = sum(f"lost: {kind}" in line for line in server_log(cloud) for kind in quirks.LOOKED_AFTER)
    assert lost
    assert "overdue wait" in {one["kind"] for one in found}
    assert "problem" not in {one["kind"] for one in found}
    figure("lost events on the laptop's AWS", f"{lost} lost, 2 of 2 promotions end as they should", "100 % recovered")


def server_log(cloud: Cloud) -> list[str]:
    return (cloud.running.logs / "server.log").read_text().splitlines()
