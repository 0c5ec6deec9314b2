"""From a hint to drift signals: alarms, jobs and schedules are looked at; an event only says where to look."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lockkeeper.domain.drift import KINDS, DriftSignal, JobSeen, nothing_in, signal_of_alarm, signal_of_job
from lockkeeper.domain.drift_hints import AlarmTold, JobTold, ScheduleTold
from lockkeeper.domain.errors import EvidenceMissing, PolicyInvalid, PolicyMissing
from lockkeeper.domain.events import GROUP_NAME, Unusable, shown
from lockkeeper.domain.folder import Listed
from lockkeeper.domain.policy import Policy, parse_policy
from lockkeeper.ports import World

LARGEST = 10_000_000
"""Bytes of a monitor's file that are read."""


def see_drift(hint: AlarmTold | JobTold | ScheduleTold | DriftSignal, world: World) -> list[DriftSignal] | Unusable:
    """The signals that a hint leads to, of one group or several, or why there are none."""
    if isinstance(hint, DriftSignal):
        return (
            [hint] if policy_in_force(hint.group, world) else Unusable(f"{hint.group} has no policy that can be read")
        )
    if isinstance(hint, AlarmTold):
        return _of_alarm(hint, world)
    if isinstance(hint, ScheduleTold):
        job = world.production_look.last_monitored(hint.name)
        return _of_job(job, world) if job else Unusable(f"monitoring schedule {hint.name} has run no job")
    return _of_job(hint.name, world, arn=hint.arn)


def policy_in_force(group: str, world: World) -> Policy | None:
    """The group's policy; None where it has none, or one of another version of Lockkeeper."""
    try:
        return parse_policy(world.policies.load(group).text, source=f"policies/{group}.yaml")
    except (PolicyMissing, PolicyInvalid):
        return None


def _of_alarm(hint: AlarmTold, world: World) -> list[DriftSignal] | Unusable:
    name = hint.name
    policies = list(_naming(name, lambda policy: policy.drift is not None and name in policy.drift.alarms, world))
    if not policies:
        return Unusable(f"no policy names alarm {shown(name)} under drift.alarms")
    alarm = world.production_look.alarm(name)
    if alarm is None or alarm.arn != hint.arn:
        return Unusable(f"there is no alarm {shown(name)} in production")
    seen = [signal_of_alarm(alarm, one.model_package_group, one.production.endpoint_name) for one in policies]
    signals = [one for one in seen if isinstance(one, DriftSignal)]
    return signals or Unusable(str(seen[0]))


def _of_job(name: str, world: World, arn: str = "") -> list[DriftSignal] | Unusable:
    job = world.production_look.processing_job(name)
    if job is None or arn.lower() not in ("", job.arn.lower()):
        return Unusable(f"there is no Processing job {shown(name)} in production")
    if nothing := nothing_in(job):
        return Unusable(nothing)
    policies = _policies_of(job, world)
    if not policies:
        about = job.environment.get("LOCKKEEPER_GROUP") or job.endpoint or f"schedule {job.schedule}"
        return Unusable(f"{job.name} is about {shown(about)}, which no policy is for")
    files, problem = _files_of(job, world)
    return [signal_of_job(job, one.model_package_group, files, problem) for one in policies]


def _policies_of(job: JobSeen, world: World) -> list[Policy]:
    """Lockkeeper's monitor says for which group it looked, SageMaker's at which endpoint."""
    if job.own:
        group = job.environment["LOCKKEEPER_GROUP"]
        policy = policy_in_force(group, world) if GROUP_NAME.fullmatch(group) else None
        return [policy] if policy else []
    endpoint = job.endpoint
    return (
        list(_naming(endpoint, lambda policy: policy.production.endpoint_name == endpoint, world)) if endpoint else []
    )


def _naming(name: str, is_meant: Callable[[Policy], bool], world: World) -> Iterator[Policy]:
    """The policies with this name in them. Most have it not, and are not parsed: that takes tens of milliseconds each."""
    for group in world.policies.groups():
        try:
            text = world.policies.load(group).text
        except PolicyMissing:
            continue
        # A long name may be folded over two lines.
        if name not in " ".join(text.split()):
            continue
        try:
            policy = parse_policy(text, source=f"policies/{group}.yaml")
        except PolicyInvalid:
            continue
        if is_meant(policy):
            yield policy


def _files_of(job: JobSeen, world: World) -> tuple[dict[str, bytes | None], str]:
    """The monitor's files by their path at its output, and why they cannot be read."""
    if not job.outputs:
        return {}, "the job has no output in S3"
    folder = job.outputs[0].rstrip("/")
    try:
        listed = {one.path for one in _listing(folder, world)}
        wanted = [f"{kind}{name}.json" for kind in KINDS for name in ("constraint_violations", "statistics")]
        found = {path: _read(f"{folder}/{path}", world) for path in wanted if path in listed}
    except EvidenceMissing as missing:
        return {}, str(missing)
    if not any(path.endswith("constraint_violations.json") for path in found):
        return {}, f"there is no constraint_violations.json in {folder}"
    return found, ""


def _listing(folder: str, world: World) -> list[Listed]:
    key = world.objects.key_of(f"{folder}/")
    if key.startswith("s3://"):
        return world.objects.listing(f"{folder}/", most=200)
    return world.objects.own_listing(key, most=200)


def _read(uri: str, world: World) -> bytes | None:
    key = world.objects.key_of(uri)
    return world.objects.read(uri, max_bytes=LARGEST) if key.startswith("s3://") else world.objects.read_own(key)
