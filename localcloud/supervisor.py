"""Starts, finds and stops a server of the laptop's AWS. Whatever ends, nothing is left behind: see `janitor`."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from localcloud import janitor
from localcloud.listening import SERVED, listen, port_of
from localcloud.settings import BUILD_FOLDER, DEFAULT_PORT, HUB_ACCOUNT_ID, PROJECT_FOLDER, client_environment

START_SECONDS = 180.0
STOP_SECONDS = 10.0
HEALTH_PATH = "/_ministack/health"
STATE_FILE = "running.json"
LAST_RUN = "last"


class StartError(Exception):
    """The server did not come up; the message holds the end of its log."""


class AlreadyRunning(Exception):
    """Another server is described by the same state file."""


@dataclass(frozen=True)
class Running:
    """A server that answers.

    `web_url` is the root of the deployed HTTP API, `slack_url` that of the stand-in of Slack, `sign_in_url` the issuer whom people
    sign in at.
    """

    pid: int
    endpoint_url: str
    web_url: str
    run_folder: Path
    clock_scale: float
    state_folder: Path
    slack_url: str = ""
    sign_in_url: str = ""

    @property
    def mailbox(self) -> Path:
        """The folder of received mails, one folder per address."""
        return self.run_folder / "mailbox"

    @property
    def logs(self) -> Path:
        """The folder of logs: server.log, and one file per function below lambda/."""
        return self.run_folder / "logs"

    def environment(self, account_id: str = HUB_ACCOUNT_ID) -> dict[str, str]:
        """The variables an AWS client needs to act as the root user of `account_id` here."""
        return client_environment(self.endpoint_url, account_id)


def start(
    port: int = DEFAULT_PORT,
    clock_scale: float = 1.0,
    *,
    outlive_me: bool = False,
    state_folder: Path = BUILD_FOLDER,
    web_port: int | None = None,
) -> Running:
    """Start a server and wait until it answers.

    A busy port is replaced by a free one; port 0 asks for any. With `outlive_me` the server goes on when the calling
    process ends, otherwise it ends with it. Raises AlreadyRunning when `state_folder` describes a living server and
    StartError, with the end of the log, when the server does not come up within a minute.
    """
    if clock_scale < 1:
        raise ValueError("The clock scale is at least 1.")
    sweep(state_folder)
    found = find_running(state_folder)
    if found is not None:
        raise AlreadyRunning(f"The laptop's AWS already runs at {found.endpoint_url} (process {found.pid}).")
    neighbour = min(port + 1, 65535) if port else 0
    wanted = (
        port,
        neighbour if web_port is None else web_port,
        *((neighbour + 1, neighbour + 2) if neighbour else (0, 0)),
    )
    with contextlib.ExitStack() as held:
        places = [held.enter_context(listen(min(one, 65535))) for one in wanted]
        aws, web, slack, sign_in = (f"http://127.0.0.1:{port_of(place)}" for place in places)
        run_folder = Path(tempfile.mkdtemp(prefix="lockkeeper-"))
        (run_folder / "logs").mkdir()
        process = launch(places, run_folder, state_folder, clock_scale, outlive_me)
    running = Running(
        pid=process.pid,
        endpoint_url=aws,
        web_url=web,
        slack_url=slack,
        sign_in_url=sign_in,
        run_folder=run_folder,
        clock_scale=clock_scale,
        state_folder=state_folder,
    )
    try:
        wait_until_healthy(process, running)
    except BaseException:
        give_up(process, running)
        raise
    write_state(running)
    return running


def launch(
    places: list[socket.socket], run_folder: Path, state_folder: Path, clock_scale: float, outlive_me: bool
) -> subprocess.Popen[bytes]:
    """Start the server's process, in a session of its own, so that a Ctrl-C reaches only the supervisor.

    `places` are the listening sockets of what is SERVED, in this order.
    """
    command = [sys.executable, "-m", "localcloud.server"]
    for name, place in zip(SERVED, places, strict=True):
        command += [f"--{name}", str(place.fileno())]
    command += ["--run-folder", str(run_folder), "--keep", str(state_folder / LAST_RUN)]
    command += ["--clock-scale", str(clock_scale)]
    pipe: list[int] = []
    if not outlive_me:
        # The write end stays open in this process until it dies; nothing is ever written to it.
        read_end, write_end = os.pipe()
        os.set_inheritable(write_end, False)
        command += ["--lifeline", str(read_end)]
        pipe = [read_end]
    with (run_folder / "logs" / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=PROJECT_FOLDER,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=(*pipe, *(place.fileno() for place in places)),
        )
    for descriptor in pipe:
        os.close(descriptor)
    return process


def is_healthy(endpoint_url: str) -> bool:
    """Whether the server answers its health check."""
    try:
        with urllib.request.urlopen(endpoint_url + HEALTH_PATH, timeout=2) as response:  # noqa: S310 - http, 127.0.0.1
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def wait_until_healthy(process: subprocess.Popen[bytes], running: Running) -> None:
    """Block until the server answers. Raises StartError when it dies or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StartError(f"The server ended with status {process.returncode}.\n{log_tail(running)}")
        if is_healthy(running.endpoint_url):
            return
        time.sleep(0.05)
    raise StartError(f"The server did not answer within {START_SECONDS:.0f} s.\n{log_tail(running)}")


def log_tail(running: Running, lines: int = 25) -> str:
    """The last lines of the server's log, or of the copy that the janitor of a dead server kept."""
    for folder in (running.logs, running.state_folder / LAST_RUN / "logs"):
        with contextlib.suppress(OSError):
            text = (folder / "server.log").read_text(errors="replace")
            return "\n".join(text.splitlines()[-lines:])
    return "It left no log."


def give_up(process: subprocess.Popen[bytes], running: Running) -> None:
    """End a server that did not come up; its janitor may not have been born yet."""
    process.kill()
    process.wait()
    janitor.clean_up(running.run_folder, running.state_folder / LAST_RUN, process.pid)


def write_state(running: Running) -> None:
    """Describe the server where `find_running` and `local down` look."""
    running.state_folder.mkdir(parents=True, exist_ok=True)
    described = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(running).items()}
    partial = running.state_folder / f"{STATE_FILE}.partial"
    partial.write_text(json.dumps(described, indent=2) + "\n")
    partial.replace(running.state_folder / STATE_FILE)


def read_state(state_folder: Path) -> Running | None:
    """What the state file describes, alive or not; None without a readable one."""
    try:
        described = json.loads((state_folder / STATE_FILE).read_text())
        for name in ("run_folder", "state_folder"):
            described[name] = Path(described[name])
        return Running(**described)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie, so that a killed child of this process counts as dead."""
    with contextlib.suppress(ChildProcessError, OSError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def find_running(state_folder: Path = BUILD_FOLDER) -> Running | None:
    """The server that the state file describes, when it lives and answers."""
    described = read_state(state_folder)
    alive = described is not None and is_alive(described.pid) and is_healthy(described.endpoint_url)
    return described if alive else None


def sweep(state_folder: Path) -> None:
    """Remove what a server left that was killed together with its janitor."""
    described = read_state(state_folder)
    if described is None or is_alive(described.pid):
        return
    if described.run_folder.is_dir():
        janitor.clean_up(described.run_folder, state_folder / LAST_RUN, session=None)
    (state_folder / STATE_FILE).unlink(missing_ok=True)


def stop(running: Running | None = None, state_folder: Path = BUILD_FOLDER) -> bool:
    """Stop a server and wait until nothing of it is left. False when there was none."""
    described = running or read_state(state_folder)
    if described is None:
        return False
    was_alive = is_alive(described.pid)
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(described.pid, number)
        if wait_for(lambda: not is_alive(described.pid), STOP_SECONDS):
            break
    wait_for(lambda: not described.run_folder.exists(), STOP_SECONDS)
    shutil.rmtree(described.run_folder, ignore_errors=True)
    (described.state_folder / STATE_FILE).unlink(missing_ok=True)
    return was_alive


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until the condition holds; False when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
