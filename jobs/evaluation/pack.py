"""Packs the job into one file that Python runs: `python3 evaluation.zip --data ...`.

python -m jobs.evaluation.pack evaluation.zip
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

ENTRY = "import sys\n\nfrom jobs.evaluation.main import main\n\nsys.exit(main())\n"
_JOBS = Path(__file__).resolve().parents[1]
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def pack(target: Path) -> None:
    """Write the archive; the same sources give the same bytes."""
    sources = [_JOBS / "__init__.py", *sorted((_JOBS / "evaluation").glob("*.py"))]
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for source in sources:
            archive.writestr(_entry(source.relative_to(_JOBS.parent).as_posix()), source.read_bytes())
        archive.writestr(_entry("__main__.py"), ENTRY)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _NO_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
