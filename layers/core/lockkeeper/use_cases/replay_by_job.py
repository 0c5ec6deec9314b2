"""A replay that takes longer than a Lambda may: a Processing job of the staging account sends the rows, and its end is waited for.

What is left in S3 under `tests/RELEASE/` for a while: `job/` is what the job reads, `answers/` is what it writes, and `before.json`
is what the look at its end needs: the verdicts so far, and what the champion had answered.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from lockkeeper.domain.errors import ReleaseStopped
from lockkeeper.domain.job import JobState, WantedJob
from lockkeeper.domain.online.replay import ServedAnswers
from lockkeeper.domain.online.rows import Replayed
from lockkeeper.domain.release import Outcome, Release, Verdict, resource_name
from lockkeeper.domain.staging_rules import Replay, ReplayJob
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.deploy_to_staging import tags_of
from lockkeeper.use_cases.judge_candidate import seal_verdicts
from lockkeeper.use_cases.replay_staging import champions_answers, judge_answers
from lockkeeper.use_cases.run_job import digest, failed, look_at_job, start_job, vouched_for
from lockkeeper.use_cases.settle_wait import complete_wait, fail_wait

STATE = "TestStaging"
ROWS_IN_PLACE = 10_000
"""The largest suite that is sent without a job where the policy names none."""


def start_replay(
    release: Release,
    replay: Replay,
    job: ReplayJob,
    suite: str,
    before: tuple[tuple[Verdict, ...], dict[str, Any]],
    token: str,
    world: World,
) -> None:
    """Leave in S3 what the job and the look at its end need, then start it and wait."""
    release_id, raw = release.release_id, suite.encode()
    world.objects.write(f"tests/{release_id}/job/suite.csv", raw, "text/csv")
    archive = world.objects.write(f"tests/{release_id}/job/replay.zip", world.replay_code, "application/zip")
    known = _known(replay, before, champions_answers(release.model_package_group, world))
    world.objects.write(_before_key(release_id), known, "application/json")
    wanted = WantedJob(
        resource_name(release_id, "replay"),
        folder=archive.rpartition("/job/")[0],
        archive="replay.zip",
        results="answers",
        image=job.image,
        instance_type=job.instance_type,
        seconds=job.max_runtime,
        tags=tags_of(release),
        options={"endpoint": release.endpoints["staging"]["endpoint_name"]},
    )
    details = {"job_name": wanted.name, "suite_sha256": digest(raw), "before_sha256": digest(known)}
    resources = (world.replay_jobs.arn_of(wanted.name),)
    wait = Wait(release_id, STATE, token, resources=resources, details=details, interruptible=True)
    start_job(wait, wanted, world.replay_jobs, world)


def look_at_replay(wait: Wait, world: World) -> str:
    """Look at the job that a wait is about; once it has ended, judge what it brought and end the wait. Returns what was seen."""
    job, seen = look_at_job(wait, world.replay_jobs)
    if job is None:
        return seen
    release = world.ledger.get(wait.release_id)
    if release.stage != STATE:
        return f"{seen}, but its release is in {release.stage}"
    try:
        _judge(release, wait, job, world)
    except ReleaseStopped as stopped:
        fail_wait(wait, stopped, world)
    else:
        complete_wait(wait, {}, world)
    return seen


def _judge(release: Release, wait: Wait, job: JobState, world: World) -> None:
    raw = world.objects.read_own(_before_key(wait.release_id)) or b""
    if digest(raw) != wait.details["before_sha256"]:
        why = "what was found before the replay is not in Lockkeeper's bucket as it was left there"
        seal_verdicts(release, (Verdict("replay", Outcome.INCONCLUSIVE, why),), {}, "tested", world)
        return
    known = json.loads(raw)
    verdicts = [Verdict(**{**one, "verdict": Outcome(one["verdict"])}) for one in known["verdicts"]]
    replay = Replay.model_validate(known["replay"])
    judged, figures = judge_answers(release, replay, _answers(wait, job, world), _served(known["served"]), world)
    evidence = {**known["evidence"], "replay": {**figures, "job": wait.details["job_name"]}}
    seal_verdicts(release, (*verdicts, *judged), evidence, "tested", world)


def _answers(wait: Wait, job: JobState, world: World) -> Replayed:
    """What the job wrote, if it ended well and vouches for it: its exit message is the hash."""
    suite, name = wait.details["suite_sha256"], wait.details["job_name"]
    if why := failed(name, job):
        return Replayed(suite, unknown=why)
    raw = world.objects.read_own(f"tests/{wait.release_id}/answers/answers.json") or b""
    if not vouched_for(raw, job):
        return Replayed(suite, unknown=f"the answers that {name} left are not those that it vouches for")
    try:
        replayed = Replayed.from_bytes(raw)
    except ValueError as error:
        return Replayed(suite, unknown=f"{name} left {error}")
    if replayed.suite_sha256 != suite:
        return Replayed(suite, unknown=f"{name} was given another suite")
    return replayed


def _known(replay: Replay, before: tuple[tuple[Verdict, ...], dict[str, Any]], served: ServedAnswers | None) -> bytes:
    """What the look at the job's end needs, so that it is the same whoever looks."""
    verdicts, evidence = before
    answers = served.replayed if served else None
    return json.dumps(
        {
            "verdicts": [asdict(one) for one in verdicts],
            "evidence": evidence,
            "replay": replay.model_dump(mode="json", exclude={"job"}),
            "served": served
            and {
                "version": served.version,
                "missing": served.missing,
                "replayed": answers and answers.to_bytes().decode(),
            },
        }
    ).encode()


def _served(plain: dict[str, Any] | None) -> ServedAnswers | None:
    if plain is None:
        return None
    raw = plain["replayed"]
    return ServedAnswers(plain["version"], Replayed.from_bytes(raw.encode()) if raw else None, plain["missing"])


def _before_key(release_id: str) -> str:
    return f"tests/{release_id}/before.json"


def job_of(replay: Replay, rows: int, *, always: bool = False) -> ReplayJob | str | None:
    """The job that a suite of so many rows needs; None where it needs none, a reason where the policy names no image for it.

    With `always` the policy's job sends a suite of any size.
    """
    if always and replay.job:
        return replay.job
    limit = replay.job.above_rows if replay.job else ROWS_IN_PLACE
    if rows <= limit:
        return None
    return replay.job or (
        f"{rows} rows are more than the {limit} that are sent at once; "
        "name an image under staging.tests.replay.job, so that a Processing job can send them"
    )
