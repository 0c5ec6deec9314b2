"""The `lockkeeper` command without the half second of its start: a process that has loaded it forks for each call.

What runs is the command itself, in a process, a folder and an environment of its own. That it starts as users start it is shown where
it is installed (`tests/contract/test_local_command.py`, `make demo`).
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import traceback
from functools import cache
from pathlib import Path
from typing import Any

OF_THE_LAPTOP = frozenset({"cli.demo", "cli.local", "cli.plots", "cli.report", "cli.story"})
"""Parts of the command that the tests here do not use, and that take long to load."""

STARTING = threading.Lock()


class Call(socketserver.StreamRequestHandler):
    """One call of the command, in the child that was forked for it."""

    def handle(self) -> None:
        asked = json.loads(self.rfile.readline())
        os.environ.clear()
        os.environ.update(asked["environment"])
        os.chdir(asked["folder"])
        sys.argv = ["lockkeeper", *asked["arguments"]]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            code = _run()
            sys.stdout.flush()
            sys.stderr.flush()
            said = []
            for file in (out, err):
                file.seek(0)
                said.append(file.read().decode())
        self.wfile.write(json.dumps([code, *said]).encode())


class Commander(socketserver.ForkingTCPServer):
    """Forks for each connection."""


def _run() -> int:
    from cli.main import app

    try:
        app(prog_name="lockkeeper")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except BaseException:  # The interpreter would say the same, and exit with 1.
        traceback.print_exc()
        return 1
    return 0


def serve() -> None:
    """Load the command, say the port, and serve until standard input closes: whoever started this has gone then."""
    import boto3  # noqa: F401 - loaded here, so that no child has to
    import lockkeeper
    import typer._adapters  # noqa: F401 - the same

    import cli.main

    for found in (
        *pkgutil.iter_modules(cli.__path__, "cli."),
        *pkgutil.walk_packages(lockkeeper.__path__, "lockkeeper."),
    ):
        if found.name not in OF_THE_LAPTOP:
            importlib.import_module(found.name)
    with Commander(("127.0.0.1", 0), Call) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        threading.Thread(target=lambda: (os.read(0, 1), os._exit(0)), daemon=True).start()
        server.serve_forever()


@cache
def _started() -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.commander"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def run(arguments: tuple[str, ...], environment: dict[str, str]) -> tuple[int, str, str]:
    """What `lockkeeper` with these arguments comes to: its exit code, and what it printed on standard output and standard error."""
    asked: dict[str, Any] = {"arguments": arguments, "environment": environment, "folder": str(Path.cwd())}
    with STARTING:
        port = _started()[1]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(json.dumps(asked).encode() + b"\n")
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert answer, f"lockkeeper {' '.join(arguments)} died without a word"
    code, out, err = json.loads(answer)
    return code, out, err


if __name__ == "__main__":
    serve()
