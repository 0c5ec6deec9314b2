"""Processing jobs in memory: they run until a test ends them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lockkeeper.domain.job import JobState, WantedJob


@dataclass(frozen=True)
class Job:
    """A job as it is, and as it was asked for."""

    state: JobState
    wanted: WantedJob


class InMemoryJobs:
    """Implements `ports.Jobs`."""

    def __init__(self, account: str, region: str = "eu-central-1") -> None:
        self._place = f"{region}:{account}"
        self.jobs: dict[str, Job] = {}

    def arn_of(self, name: str) -> str:
        return f"arn:aws:sagemaker:{self._place}:processing-job/{name.lower()}"

    def start(self, job: WantedJob) -> bool:
        if job.name in self.jobs:
            return False
        self.jobs[job.name] = Job(JobState("InProgress"), job)
        return True

    def look(self, name: str) -> JobState | None:
        job = self.jobs.get(name)
        return job.state if job else None

    def stop(self, name: str) -> None:
        job = self.jobs.get(name)
        if job and not job.state.ended:
            self.end(name, JobState("Stopped"))

    def end(self, name: str, state: JobState) -> None:
        """A job ends, well or badly."""
        self.jobs[name] = replace(self.jobs[name], state=state)
