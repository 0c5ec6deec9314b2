"""Start the job that looks at a window of production's traffic, in production's account. It ends with an event, like any job."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from lockkeeper.domain.job import WantedJob
from lockkeeper.domain.monitoring import asked_of_job, image_of, job_name, schedule_name
from lockkeeper.domain.release import RELEASE_TAG, Release
from lockkeeper.ports import World
from lockkeeper.use_cases.keep_baseline import keep_baseline
from lockkeeper.use_cases.pinned import iso, pinned_hosting, pinned_policy, variant_of
from lockkeeper.use_cases.watch_for_drift import Watched, watched

ARCHIVE = "monitor.zip"


@dataclass(frozen=True)
class Started:
    """What became of it: the job's name (empty where none was started), and why, in words."""

    job: str
    why: str


def look_at_traffic(group: str, at: datetime | None, world: World) -> Started:
    """One job for a group's champion and window. Whoever asks for the same window again gets no second."""
    found = watched(group, world)
    if isinstance(found, str):
        # Whatever took the endpoint or the rule away was not heard of; nobody needs to be called for it any more.
        world.schedules.cancel(schedule_name(group))
        return Started("", f"{group} is not monitored: {found}")
    release = world.ledger.get(found.champion.release_id)
    until = at or world.clock.now().replace(microsecond=0)
    since = max(until - timedelta(seconds=found.monitor.every), datetime.fromisoformat(found.champion.since))
    if since >= until:
        return Started("", f"{found.champion.words} of {group} serves only since {found.champion.since}")
    capture = str(pinned_hosting(release, pinned_policy(release, world), world).capture.get("DestinationS3Uri", ""))
    if not capture:
        return Started("", f"{found.champion.endpoint_name} captures nothing: give the policy production.capture")
    image = image_of(found.monitor, release.pins.images)
    if not image:
        return Started("", f"{group} serves from no scikit-learn image: name one in drift.monitor.image")
    folder = f"{capture.rstrip('/')}/{found.champion.endpoint_name}/{variant_of(release)}"
    wanted = _wanted(found, release, image, folder, (since, until), world)
    if world.monitor_jobs.start(wanted):
        return Started(wanted.name, f"{wanted.name} looks at {iso(since)} to {iso(until)}")
    return Started("", f"{wanted.name} was started before")


def _wanted(
    found: Watched, release: Release, image: str, capture: str, window: tuple[datetime, datetime], world: World
) -> WantedJob:
    """Leave in S3 what the job needs, and say how it is to be started."""
    group = release.model_package_group
    name = job_name(group, window[1])
    baseline = keep_baseline(release, found.policy, found.monitor, world)
    told = (
        {"no_baseline": baseline.missing}
        if baseline.missing
        else {"baseline_release": release.release_id, "baseline_sha256": baseline.sha256}
    )
    asked = json.dumps(asked_of_job(found.policy, found.monitor, capture, told)).encode()
    place = f"monitoring/{group}/{name}"
    world.objects.write(f"{place}/job/monitor.json", asked, "application/json")
    world.objects.write(f"{place}/job/{ARCHIVE}", world.monitor_code, "application/zip")
    return WantedJob(
        name,
        folder=world.objects.address_of(place),
        archive=ARCHIVE,
        results="",
        image=image,
        instance_type=found.monitor.instance_type,
        seconds=found.monitor.max_runtime,
        tags={RELEASE_TAG: release.release_id},
        inputs={} if baseline.missing else {"baseline": baseline.folder},
        environment={
            "LOCKKEEPER_GROUP": group,
            "LOCKKEEPER_RELEASE": release.release_id,
            "LOCKKEEPER_ENDPOINT": found.champion.endpoint_name,
            "LOCKKEEPER_WINDOW_FROM": iso(window[0]),
            "LOCKKEEPER_WINDOW_TO": iso(window[1]),
        },
    )
