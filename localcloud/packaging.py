"""The archives that `sam build` and `sam package` would make of the template's functions and layers.

Archives are deterministic: the same sources give the same bytes, so that nothing is updated that did not change.
"""

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from localcloud.settings import BUILD_FOLDER

ZIP_TIME = (1980, 1, 1, 0, 0, 0)
SKIPPED = {"__pycache__", ".git", ".pytest_cache", ".mypy_cache", ".ruff_cache"}


class BuildError(Exception):
    """A layer or function could not be built; the message holds the tool's output."""


def sources(folder: Path) -> Iterator[Path]:
    """The files of a folder that belong into an archive, sorted; those of linked folders, too."""
    linked = [path for path in folder.iterdir() if path.is_symlink() and path.is_dir()]
    for path in sorted([*folder.rglob("*"), *(path for link in linked for path in link.rglob("*"))]):
        if path.is_file() and not SKIPPED & set(path.relative_to(folder).parts) and path.suffix != ".pyc":
            yield path


def archive(entries: list[tuple[str, Path]]) -> bytes:
    """A zip of files under the given names, with fixed times, modes and order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as opened:
        for name, path in sorted(entries):
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if path.stat().st_mode & 0o111 else 0o644) << 16
            opened.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def function_archive(project: Path, code_folder: str, parent_packages: str | None) -> bytes:
    """A function's code. With `parent_packages` (`functions.open_release`) it keeps its place below them."""
    folder = project / code_folder
    if parent_packages is None:
        return archive([(str(path.relative_to(folder)), path) for path in sources(folder)])
    place = Path(*parent_packages.split("."))
    entries = [(str(place / path.relative_to(folder)), path) for path in sources(folder)]
    for parent in list(place.parents)[:-1]:
        marker = project / parent / "__init__.py"
        if marker.is_file():
            entries.append((str(parent / "__init__.py"), marker))
    return archive(entries)


def layer_archive(project: Path, content_folder: str, cache: Path = BUILD_FOLDER / "cache") -> bytes:
    """A layer: installed requirements where there is a requirements.txt, the folder's packages otherwise."""
    folder = project / content_folder
    requirements = folder / "requirements.txt"
    if requirements.is_file():
        return requirements_archive(requirements, cache)
    entries = [
        (f"python/{path.relative_to(folder)}", path) for path in sources(folder) if path.relative_to(folder).parts[1:]
    ]
    return archive(entries)


def requirements_archive(requirements: Path, cache: Path) -> bytes:
    """Installed requirements as a layer, kept by the hash of the requirements and the Python version."""
    key = hashlib.sha256(f"{sys.version_info[:2]}{sys.platform}".encode() + requirements.read_bytes()).hexdigest()[:24]
    kept = cache / f"layer-{key}.zip"
    if kept.is_file():
        return kept.read_bytes()
    cache.mkdir(parents=True, exist_ok=True)
    # A folder of this process's own: in a fresh clone several may build the same layer at once.
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        target, partial = Path(folder) / "packages", Path(folder) / "layer.zip"
        install_requirements(requirements, target)
        content = archive([(f"python/{path.relative_to(target)}", path) for path in sources(target)])
        partial.write_bytes(content)
        partial.replace(kept)
    return content


def install_requirements(requirements: Path, target: Path) -> None:
    """Run pip for this interpreter. Raises BuildError with pip's words."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--requirement", str(requirements), "--target", str(target)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise BuildError(f"pip could not install {requirements.name}:\n{finished.stderr.strip()}")
