"""A scan as a Processing job: the archive that the job runs, and what it does there.

Everything that the scan needs is in the archive, since the job reaches no network. It wants Python 3.10, which has the names of
the standard library that pickles are held against.
"""

from __future__ import annotations

from pathlib import Path

from lockkeeper.adapters.job_archive import arguments, leave, packed

MODULES = (
    "__init__.py",
    "adapters/__init__.py",
    "adapters/job_archive.py",
    "adapters/picklescan.py",
    "adapters/scan_job.py",
    "domain/__init__.py",
    "domain/folder.py",
    *(f"domain/artifact/{path.name}" for path in sorted((Path(__file__).parents[1] / "domain/artifact").glob("*.py"))),
    "use_cases/__init__.py",
    "use_cases/look_into.py",
)
ENTRY = """import sys

if sys.version_info < (3, 10):
    sys.exit("the scan needs Python 3.10, and this image has " + sys.version.split()[0] + ": name a newer one")

from lockkeeper.adapters.scan_job import main

main()
"""


def pack() -> bytes:
    """The archive."""
    import picklescan  # type: ignore[import-untyped]

    return packed(MODULES, ENTRY, [Path(picklescan.__file__).parent])


def main() -> None:
    """Look into the artifacts and leave what was seen."""
    from lockkeeper.adapters.picklescan import dangerous_globals
    from lockkeeper.use_cases.look_into import look_into

    told = arguments().parse_args()
    leave(look_into(told.given, dangerous_globals).to_bytes(), told.left / "report.json", told.message)
