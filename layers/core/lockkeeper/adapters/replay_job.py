"""A replay as a Processing job: the archive that the job runs, and what it does there.

The archive holds the modules of this very package, so that a suite is sent by the same code wherever it is sent from. They run in
SageMaker's stock images, the oldest of which has Python 3.8; boto3 is there.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import zipfile
from pathlib import Path

MODULES = (
    "__init__.py",
    "adapters/__init__.py",
    "adapters/invocations.py",
    "adapters/replay_job.py",
    "domain/__init__.py",
    "domain/errors.py",
    "domain/online/__init__.py",
    "domain/online/rows.py",
    "use_cases/__init__.py",
    "use_cases/send_rows.py",
)
_PACKAGE = Path(__file__).resolve().parents[1]
_ENTRY = "from lockkeeper.adapters.replay_job import main\n\nmain()\n"
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def pack() -> bytes:
    """The archive, which Python runs as it is; the same modules give the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in MODULES:
            archive.writestr(zipfile.ZipInfo(f"lockkeeper/{name}", _NO_TIME), (_PACKAGE / name).read_bytes())
        archive.writestr(zipfile.ZipInfo("__main__.py", _NO_TIME), _ENTRY)
    return packed.getvalue()


def main() -> None:
    """Send the suite, write the answers, and leave their hash as the job's exit message: that cannot be written over in S3."""
    import boto3

    from lockkeeper.adapters.invocations import invoke
    from lockkeeper.domain.online.rows import labelled_rows
    from lockkeeper.use_cases.send_rows import send_rows

    asked = _arguments()
    raw = asked.suite.read_bytes()
    client = boto3.client("sagemaker-runtime")
    replayed = send_rows(
        labelled_rows(raw.decode(), source=asked.suite.name),
        hashlib.sha256(raw).hexdigest(),
        lambda body: invoke(client, asked.endpoint, body, "text/csv", "text/csv"),
    )
    answers = replayed.to_bytes()
    for path, content in ((asked.answers, answers), (asked.message, hashlib.sha256(answers).hexdigest().encode())):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    for name in ("--suite", "--answers", "--message"):
        parser.add_argument(name, required=True, type=Path)
    return parser.parse_args()
