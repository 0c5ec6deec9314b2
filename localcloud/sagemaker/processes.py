"""Child processes that end with their parent, in an environment that shows nothing of the developer's."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

GUARD = Path(__file__).with_name("guard.py")
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def clean_environment(python: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """The variables of a container: a few of this process's, `python` first on the PATH, and `extra`."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    kept["PATH"] = f"{python.parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    # One thread per process: the numerical libraries otherwise fight for the laptop's cores.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**kept, **threads, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", **extra}


def start_guarded(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a command that is killed, with all it starts, when its standard input is closed or this process dies."""
    return subprocess.Popen(
        [sys.executable, "-P", str(GUARD), *command],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=dict(environment),
    )


def stop(process: subprocess.Popen[bytes], seconds: float = 5.0) -> None:
    """End a child by closing its standard input, and by force where that is not enough."""
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
