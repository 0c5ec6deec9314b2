"""A replay as a Processing job: the archive that the job runs, and what it does there.

Its modules run in SageMaker's stock images, the oldest of which has Python 3.8; boto3 is there.
"""

from __future__ import annotations

import hashlib

from lockkeeper.adapters.job_archive import arguments, leave, packed

MODULES = (
    "__init__.py",
    "adapters/__init__.py",
    "adapters/invocations.py",
    "adapters/job_archive.py",
    "adapters/replay_job.py",
    "domain/__init__.py",
    "domain/errors.py",
    "domain/online/__init__.py",
    "domain/online/rows.py",
    "use_cases/__init__.py",
    "use_cases/send_rows.py",
)


def pack() -> bytes:
    """The archive."""
    return packed(MODULES, "from lockkeeper.adapters.replay_job import main\n\nmain()\n")


def main() -> None:
    """Send the suite and leave the answers."""
    import boto3

    from lockkeeper.adapters.invocations import invoke, runtime
    from lockkeeper.domain.online.rows import labelled_rows
    from lockkeeper.use_cases.send_rows import send_rows

    parser = arguments()
    parser.add_argument("--endpoint", required=True)
    asked = parser.parse_args()
    raw = (asked.given / "suite.csv").read_bytes()
    client = runtime(boto3.Session())
    replayed = send_rows(
        labelled_rows(raw.decode(), source="suite.csv"),
        hashlib.sha256(raw).hexdigest(),
        lambda body: invoke(client, asked.endpoint, body, "text/csv", "text/csv"),
    )
    leave(replayed.to_bytes(), asked.left / "answers.json", asked.message)
