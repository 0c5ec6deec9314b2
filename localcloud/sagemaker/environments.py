"""Python environments for containers: what a model or a job requires, never installed into the developer's own.

An environment is a venv that sees the packages of the laptop's AWS behind its own. It is named by the hash of what is
installed and kept, so the second endpoint with the same requirements starts at once.
"""

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from localcloud.sagemaker.errors import WorkFailedError
from localcloud.sagemaker.processes import start_guarded, stop

INSTALL_SECONDS = 600.0
COMPLETE = "complete"


class Environments:
    """The environments kept in one folder; safe for several processes at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def python_with(self, requirements: str, log_file: Path) -> Path:
        """The interpreter of an environment that has the requirements (the text of a requirements.txt).

        Raises WorkFailedError when pip cannot install them; its output is in the log.
        """
        wanted = "\n".join(line for line in (raw.strip() for raw in requirements.splitlines()) if line)
        if not wanted or _is_installed_here(wanted):
            return Path(sys.executable)
        name = hashlib.sha256(f"{sys.version}\n{sys.prefix}\n{wanted}".encode()).hexdigest()[:24]
        home = self._folder / name
        python = home / "bin" / "python"
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (home / COMPLETE).exists():
                shutil.rmtree(home, ignore_errors=True)
                _create(home)
                _install(python, wanted, log_file)
                (home / COMPLETE).touch()
        return python


def _is_installed_here(wanted: str) -> bool:
    """Whether the one pinned package that is asked for is in the running environment already."""
    name, pinned, version = wanted.partition("==")
    try:
        return bool(pinned) and importlib.metadata.version(name) == version
    except importlib.metadata.PackageNotFoundError:
        return False


def _have_pip() -> bool:
    return importlib.util.find_spec("pip") is not None


def _create(home: Path) -> None:
    # Our own pip installs into it, so it needs none, which saves half of the time.
    venv.EnvBuilder(system_site_packages=True, with_pip=not _have_pip(), symlinks=True).create(home)
    variables = {"base": str(home), "platbase": str(home)}
    packages = Path(sysconfig.get_path("purelib", "venv", vars=variables))
    # The system's packages are those of the interpreter that a venv was made from; ours are in a venv themselves.
    ours = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "laptop.pth").write_text("\n".join(sorted(ours)) + "\n", encoding="utf-8")


def _install(python: Path, wanted: str, log_file: Path) -> None:
    listed = python.parent.parent / "requirements.txt"
    listed.write_text(wanted + "\n", encoding="utf-8")
    # pip reads the developer's settings (an index, a proxy), but no AWS credentials.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    pip = [sys.executable, "-m", "pip", "--python", str(python)] if _have_pip() else [str(python), "-m", "pip"]
    command = [*pip, "install", "--no-input", "--disable-pip-version-check", "-r", str(listed)]
    with log_file.open("ab") as log:
        process = start_guarded(command, python.parent.parent, environment, log)
        try:
            status = process.wait(INSTALL_SECONDS)
        except subprocess.TimeoutExpired:
            stop(process)
            status = -1
        finally:
            if process.stdin is not None:
                process.stdin.close()
    if status:
        last = log_file.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise WorkFailedError(f"ClientError: requirements.txt could not be installed: {' '.join(last)[:300]}")
