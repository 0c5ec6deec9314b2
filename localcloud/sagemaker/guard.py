"""Runs a command and never outlives the process that asked for it.

    python -P guard.py COMMAND [ARGUMENT ...] < pipe

The pipe's other end is held by the parent. When the parent closes it or dies, however it dies, the command and all it
started are killed; so are leftovers of a command that has ended. The exit status is the command's, or 128 plus the
number of the signal that ended it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading


def kill_group(group: int) -> None:
    """End every process of a group; there may be none left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def main() -> int:
    """Run the command of the command line until it ends or the parent does."""
    command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, process_group=0)

    def follow_parent() -> None:
        while os.read(0, 4096):
            pass
        kill_group(command.pid)

    threading.Thread(target=follow_parent, daemon=True).start()
    status = command.wait()
    kill_group(command.pid)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    # Not sys.exit: the watching thread blocks in a read that an orderly end would wait for.
    os._exit(main())
