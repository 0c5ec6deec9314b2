"""Whatever a container starts ends with the process that asked for it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from localcloud.settings import PROJECT_FOLDER
from tests.patience import PATIENCE

PARENT = """
import sys, time
from pathlib import Path
from localcloud.sagemaker.processes import start_guarded
folder = Path(sys.argv[1])
command = ["/bin/sh", "-c", "sleep 300 & echo $! > grandchild; echo $$ > child; wait"]
with (folder / "log").open("wb") as log:
    start_guarded(command, folder, {"PATH": "/usr/bin:/bin"}, log)
print("started", flush=True)
time.sleep(300)
"""


def test_a_guarded_command_and_its_children_end_with_a_killed_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, cwd=PROJECT_FOLDER)
    files = [tmp_path / "child", tmp_path / "grandchild"]
    wait_until(lambda: all(file.exists() and file.read_text().strip() for file in files))
    pids = [int(file.read_text()) for file in files]

    parent.send_signal(signal.SIGKILL)
    parent.communicate()

    wait_until(lambda: not any(is_alive(pid) for pid in pids))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
