"""Processing jobs that a release waits for: started once, looked at, believed only with their hash, stopped with their release."""

from __future__ import annotations

import hashlib

from lockkeeper.domain.errors import JobEnded
from lockkeeper.domain.job import JobState, WantedJob
from lockkeeper.ports import Jobs, Wait, World
from lockkeeper.use_cases.late_try import still_in
from lockkeeper.use_cases.settle_wait import fail_wait


def start_job(wait: Wait, wanted: WantedJob, jobs: Jobs, world: World) -> None:
    """Store the wait, then start the job. Repeated, it starts nothing twice: a job's name is its release's for ever.

    A job that exists already may have ended before this wait was stored: then the next look around finds it.
    """
    world.ledger.store_wait(wait)
    still_in(wait, world)
    why = f"{wanted.name}, a Processing job" if jobs.start(wanted) else f"{wanted.name} was started before"
    what = wanted.archive.removesuffix(".zip")
    world.ledger.record(wait.release_id, f"{what} started", why)


def look_at_job(wait: Wait, jobs: Jobs) -> tuple[JobState | None, str]:
    """The job that a wait is about, if it has ended, and what was seen, in words."""
    name = wait.details["job_name"]
    job = jobs.look(name)
    if job is None:
        return None, f"{name} was not started yet"
    return job if job.ended else None, f"{name} is {job.status}"


def wake_at_end(wait: Wait, jobs: Jobs, world: World) -> str:
    """Once the job has ended, let the state that waits for it be entered again, which judges. Returns what was seen, in words."""
    job, seen = look_at_job(wait, jobs)
    if job:
        fail_wait(wait, JobEnded(seen), world)
    return seen


def failed(name: str, job: JobState) -> str:
    """Why there is nothing to judge; empty when the job ended well."""
    if job.status == "Completed":
        return ""
    why = job.failure_reason or "no reason given"
    return f"{name} is {job.status}: {why}; see its log, then replay the release"


def vouched_for(raw: bytes, job: JobState) -> bool:
    """Whether these bytes are what the job made: its exit message is their hash."""
    return digest(raw) == job.exit_message.strip()


def stop_job(release_id: str, state: str, jobs: Jobs, world: World) -> None:
    """A release that is closed wants no answers any more."""
    wait = world.ledger.wait_of(release_id, state)
    if wait and "job_name" in wait.details:
        jobs.stop(wait.details["job_name"])


def digest(raw: bytes) -> str:
    """SHA-256, in hex."""
    return hashlib.sha256(raw).hexdigest()
