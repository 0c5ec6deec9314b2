"""The drift monitor as a Processing job: the archive of `jobs/drift_monitor`, and of the evaluation whose metrics it has."""

from __future__ import annotations

from pathlib import Path

from lockkeeper.adapters.job_archive import packed

JOBS = Path(__file__).resolve().parents[2] / "jobs"
"""Beside this package: in the layer, and in the sources by a link."""


def pack() -> bytes:
    """The archive."""
    entry = "import sys\n\nfrom jobs.drift_monitor.main import main\n\nsys.exit(main())\n"
    # With the package above both: old versions of Python find no package in an archive that has no __init__.py.
    return packed((), entry, [JOBS, JOBS / "drift_monitor", JOBS / "evaluation"], root=JOBS.parent)
