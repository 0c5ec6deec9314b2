"""One job's process: it is started, logged, stopped at its limit or on request, and judged by how it ended."""

import contextlib
import re
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.sagemaker.processes import clean_environment, start_guarded, stop

POLL_SECONDS = 0.05
SLOWEST_POLL_SECONDS = 0.25


@dataclass
class JobRun:
    """The running of one job. `stopped` is set by a request to stop; `timed_out` says that the limit was reached."""

    log_file: Path
    stopped: threading.Event = field(default_factory=threading.Event)
    timed_out: bool = False

    def execute(
        self, command: Sequence[str], folder: Path, python: Path, environment: Mapping[str, str], seconds: float
    ) -> int:
        """Run the command to its end, its time limit or a request to stop; returns its exit status."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        variables = clean_environment(python, environment)
        with self.log_file.open("ab") as log:
            process = start_guarded(_with_interpreter(command, python), folder, variables, log)
        deadline, pause = time.monotonic() + seconds, POLL_SECONDS
        try:
            while (status := process.poll()) is None:
                if time.monotonic() > deadline:
                    self.timed_out = True
                    return -1
                if self.stopped.wait(pause):
                    return -1
                pause = min(pause * 1.2, SLOWEST_POLL_SECONDS)
            return status
        finally:
            stop(process)

    def output(self) -> str:
        """What the job has printed."""
        with contextlib.suppress(FileNotFoundError):
            return self.log_file.read_text(encoding="utf-8", errors="replace")
        return ""

    def last_lines(self, count: int = 5) -> str:
        """The end of the output, which usually says what went wrong."""
        return "\n".join(self.output().strip().splitlines()[-count:])


def metric_values(definitions: Sequence[Mapping[str, str]], output: str) -> list[tuple[str, float]]:
    """The last value of each metric that its regular expression finds in the output."""
    found = []
    for definition in definitions:
        try:
            matches = re.findall(definition["Regex"], output)
        except re.error:
            continue
        if matches:
            last = matches[-1] if isinstance(matches[-1], str) else matches[-1][0]
            with contextlib.suppress(ValueError):
                found.append((definition["Name"], float(last)))
    return found


def _with_interpreter(command: Sequence[str], python: Path) -> list[str]:
    """`python` and `python3` of a container are the interpreter of the job's environment."""
    if command and command[0] in ("python", "python3", "/usr/bin/python3", "/miniconda3/bin/python"):
        return [str(python), *command[1:]]
    # A command that does not exist would only be seen by the guard.
    return [shutil.which(command[0]) or command[0], *command[1:]]
