"""The janitor: a small process that ends and removes what a server leaves behind, however the server ends.

It lives in a session of its own and blocks on a pipe whose write end only the server holds. At the pipe's end it kills
what the server started, keeps the logs and the mailbox where a person can read them, and removes the run folder. The
server starts another one when its janitor is killed.

    python -m localcloud.janitor RUN_FOLDER KEEP_FOLDER SERVER_PID < pipe
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

KEPT = ("logs", "mailbox")
PROCESS_GROUPS = "process-groups"
"""A folder in the run folder; a file named after each process group that left the server's own."""


def keep_one(run_folder: Path, keep: Path) -> None:
    """Start a janitor for this process and start another whenever it dies. Called once, by the server."""
    read_end, write_end = os.pipe()
    # The read end stays open here as well: the next janitor inherits it.
    os.set_inheritable(read_end, False)
    os.set_inheritable(write_end, False)
    first = start(run_folder, keep, read_end)

    def replace_the_dead() -> None:
        current = first
        while True:
            current.wait()
            current = start(run_folder, keep, read_end)

    threading.Thread(target=replace_the_dead, daemon=True, name="janitor").start()


def start(run_folder: Path, keep: Path, read_end: int) -> subprocess.Popen[bytes]:
    """Start one janitor process for the calling server."""
    command = [sys.executable, "-S", "-m", "localcloud.janitor", str(run_folder), str(keep), str(os.getpid())]
    environment = {"PYTHONPATH": str(Path(__file__).resolve().parents[1]), "PATH": os.environ.get("PATH", "")}
    return subprocess.Popen(
        command,
        stdin=read_end,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )


def wait_for_the_end() -> None:
    """Block until the server has closed its end of the pipe, which the kernel does for the dead."""
    while os.read(0, 1):
        pass


def left_behind(run_folder: Path, session: int | None) -> Iterator[int]:
    """Processes of the server's session, and those that work in or on the run folder.

    Read from /proc; where there is none, the recorded process groups are all there is.
    """
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        if pid == os.getpid():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            # The fields after the name: state, parent, process group, session.
            works_there = str((entry / "cwd").readlink()).startswith(str(run_folder))
            if fields[0] != "Z" and (int(fields[3]) == session or works_there):
                yield pid


def kill_left_behind(run_folder: Path, session: int | None) -> None:
    """Kill the server's process group, recorded groups and stragglers, until none is left or five seconds have passed.

    Without a session, only what works in the run folder is killed: the ids of a long-dead server may be others' now.
    """
    if session is not None:
        groups = [session]
        with contextlib.suppress(OSError):
            groups += [int(recorded.name) for recorded in (run_folder / PROCESS_GROUPS).iterdir()]
        for group in groups:
            with contextlib.suppress(OSError):
                os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while (pids := list(left_behind(run_folder, session))) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def keep_what_people_read(run_folder: Path, keep: Path) -> None:
    """Copy the logs and the mailbox to the folder of the last run."""
    shutil.rmtree(keep, ignore_errors=True)
    for name in KEPT:
        with contextlib.suppress(OSError, shutil.Error):
            shutil.copytree(run_folder / name, keep / name)


def clean_up(run_folder: Path, keep: Path, session: int | None) -> None:
    """Everything that has to happen after a server's end. `session` is the server's, if it has only just ended."""
    kill_left_behind(run_folder, session)
    keep_what_people_read(run_folder, keep)
    shutil.rmtree(run_folder, ignore_errors=True)


def main() -> None:
    """Wait for the server's end, then clean up. The server leads its session, so its id is the session's."""
    run_folder, keep, server = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    os.chdir("/")
    wait_for_the_end()
    clean_up(run_folder, keep, server)


if __name__ == "__main__":
    main()
