"""A Processing job: as it is asked for, and as SageMaker describes it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class WantedJob:
    """A Processing job: it is given what lies in `folder`/job/, runs `archive` from there, and leaves `folder`/`results`/.

    Without `results` it leaves what it makes in the folder itself. The archive is told where it finds what it is given, where to
    leave what it makes, where its exit message goes, and `options`. `isolated` containers reach no network; SageMaker brings and
    takes their files.
    """

    name: str
    folder: str
    archive: str
    results: str
    image: str
    instance_type: str
    seconds: int
    tags: dict[str, str]
    options: dict[str, str] = field(default_factory=dict)
    volume_gb: int = 10
    isolated: bool = False
    inputs: dict[str, str] = field(default_factory=dict)
    """Further folders that it is given, by the option that says where: their `s3://` addresses."""
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class JobState:
    """A Processing job as SageMaker describes it: its status in SageMaker's spelling."""

    status: str
    failure_reason: str = ""
    exit_message: str = ""

    @property
    def ended(self) -> bool:
        return self.status in {"Completed", "Failed", "Stopped"}
