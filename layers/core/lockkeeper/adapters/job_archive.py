"""Archives that Processing jobs run: modules of this very package, so that a job runs the code that Lambdas run."""

from __future__ import annotations

import argparse
import hashlib
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def packed(modules: Iterable[str], entry: str, others: Iterable[Path] = (), *, root: Path | None = None) -> bytes:
    """An archive that Python runs as it is: the modules (paths in this package), other packages whole, and what is run.

    Other packages have their names, or their paths as seen from `root`. The same modules give the same bytes.
    """
    archived = io.BytesIO()
    with zipfile.ZipFile(archived, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in modules:
            _add(archive, f"lockkeeper/{name}", (_PACKAGE / name).read_bytes())
        for package in others:
            sources = sorted(package.glob("*.py"))
            if not sources:
                raise FileNotFoundError(f"{package} has no modules to pack: this layer was built without them")
            for path in sources:
                _add(archive, path.relative_to(root or package.parent).as_posix(), path.read_bytes())
        _add(archive, "__main__.py", entry.encode())
    return archived.getvalue()


def _add(archive: zipfile.ZipFile, name: str, body: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _NO_TIME), body, zipfile.ZIP_DEFLATED)


def arguments() -> argparse.ArgumentParser:
    """What every job is told: the folder that it is given, the one for what it makes, and the file of its exit message."""
    parser = argparse.ArgumentParser()
    for name in ("--given", "--left", "--message"):
        parser.add_argument(name, required=True, type=Path)
    return parser


def leave(made: bytes, path: Path, message: Path) -> None:
    """Write what was made, and its hash as the job's exit message: that cannot be written over in S3."""
    for place, content in ((path, made), (message, hashlib.sha256(made).hexdigest().encode())):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
