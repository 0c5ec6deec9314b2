"""Whatever ends, nothing is left behind: no process, no folder."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from localcloud import supervisor
from localcloud.deploy import deploy
from localcloud.settings import PROJECT_FOLDER, REGION

PROBE_TEMPLATE = Path(__file__).parent / "probe" / "template.yaml"
KEPT_SECONDS = 15

pytestmark = pytest.mark.full

START_IN_A_PROCESS = """
import sys, time
from pathlib import Path
from localcloud import supervisor
running = supervisor.start(0, state_folder=Path(sys.argv[1]))
print(running.pid, flush=True)
time.sleep(600)
"""


def processes_of(running: supervisor.Running) -> set[int]:
    """Processes that belong to a server: its session, and whatever names or works in its run folder."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_text()
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            folder = str((entry / "cwd").readlink())
        except OSError:
            continue
        if fields[0] == "Z" or entry.name == str(os.getpid()):
            continue
        if int(fields[3]) == running.pid or f"{running.run_folder}" in command + folder:
            found.add(int(entry.name))
    return found


def janitor_of(running: supervisor.Running) -> int:
    """The process id of a server's janitor."""
    for pid in processes_of(running):
        if b"localcloud.janitor" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise LookupError("there is no janitor")


def run_a_function(running: supervisor.Running) -> None:
    """Deploy the probe stack and invoke its function, so that the server has a child."""
    outputs = deploy(running.endpoint_url, "probe", template=PROBE_TEMPLATE)
    keys = running.environment()
    functions = boto3.client(
        "lambda",
        endpoint_url=running.endpoint_url,
        region_name=REGION,
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )
    functions.invoke(FunctionName=outputs["ProbeArn"], Payload=b"{}")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[supervisor.Running]:
    started = supervisor.start(0, state_folder=tmp_path)
    yield started
    supervisor.stop(started)


def assert_nothing_left(running: supervisor.Running, eventually: Callable[..., bool]) -> None:
    eventually(lambda: not processes_of(running), KEPT_SECONDS)
    eventually(lambda: not running.run_folder.exists(), KEPT_SECONDS)


def test_a_killed_server_leaves_nothing_but_its_logs(
    running: supervisor.Running, eventually: Callable[..., bool]
) -> None:
    run_a_function(running)
    assert len(processes_of(running)) >= 3
    os.kill(running.pid, signal.SIGKILL)
    os.waitpid(running.pid, 0)
    assert_nothing_left(running, eventually)
    last = running.state_folder / supervisor.LAST_RUN / "logs"
    assert (last / "server.log").is_file()
    assert list((last / "lambda").iterdir())
    assert supervisor.find_running(running.state_folder) is None


def test_a_killed_janitor_is_replaced(running: supervisor.Running, eventually: Callable[..., int]) -> None:
    first = janitor_of(running)
    os.kill(first, signal.SIGKILL)

    def replaced() -> int | None:
        try:
            return (second := janitor_of(running)) != first and second
        except (LookupError, FileNotFoundError):
            # There is none at this moment, or the killed one went while it was looked at.
            return None

    assert eventually(replaced)
    os.kill(running.pid, signal.SIGKILL)
    os.waitpid(running.pid, 0)
    assert_nothing_left(running, eventually)


def test_a_killed_supervisor_takes_its_server_along(tmp_path: Path, eventually: Callable[..., bool]) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", START_IN_A_PROCESS, str(tmp_path)], cwd=PROJECT_FOLDER, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    with parent.stdout as lines:
        lines.readline()
        running = supervisor.find_running(tmp_path)
        assert running is not None
        parent.kill()
        parent.wait()
    assert_nothing_left(running, eventually)


def test_stop_ends_everything_and_says_so(running: supervisor.Running, eventually: Callable[..., bool]) -> None:
    run_a_function(running)
    assert supervisor.find_running(running.state_folder) == running
    assert supervisor.stop(state_folder=running.state_folder) is True
    assert not running.run_folder.exists()
    # The janitor removes the folder last and then ends itself.
    eventually(lambda: not processes_of(running), 2)
    assert supervisor.stop(state_folder=running.state_folder) is False


def test_a_second_server_for_the_same_state_is_refused(running: supervisor.Running) -> None:
    with pytest.raises(supervisor.AlreadyRunning, match=running.endpoint_url):
        supervisor.start(0, state_folder=running.state_folder)


def test_a_busy_port_is_replaced(running: supervisor.Running, tmp_path_factory: pytest.TempPathFactory) -> None:
    busy = int(running.endpoint_url.rpartition(":")[2])
    other = supervisor.start(busy, state_folder=tmp_path_factory.mktemp("other"))
    try:
        assert other.endpoint_url != running.endpoint_url
    finally:
        supervisor.stop(other)


def test_nobody_takes_a_port_between_its_choice_and_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the server loads its modules its ports are held: who binds one then is refused, and who connects waits."""
    launch, met = supervisor.launch, []

    def take_them_first(places: list[socket.socket], *others: Any) -> subprocess.Popen[bytes]:
        process = launch(places, *others)
        for place in places:
            address = place.getsockname()
            place.close()
            with pytest.raises(OSError, match="in use"):
                socket.create_server(address)
            met.append(socket.create_connection(address))
        return process

    monkeypatch.setattr(supervisor, "launch", take_them_first)
    running = supervisor.start(0, state_folder=tmp_path)
    try:
        assert len(met) == 4
        for early in met:
            early.settimeout(30)
            early.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert early.recv(5) == b"HTTP/"
            early.close()
    finally:
        supervisor.stop(running)


def test_a_server_that_dies_at_once_is_reported_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., bool]
) -> None:
    folders = {name: tmp_path / name for name in ("runs", "broken/ministack", "state")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    (folders["broken/ministack"] / "__init__.py").write_text("raise RuntimeError('this emulator is broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    monkeypatch.setattr(tempfile, "tempdir", str(folders["runs"]))
    with pytest.raises(supervisor.StartError, match="this emulator is broken"):
        supervisor.start(0, state_folder=folders["state"])
    eventually(lambda: not list(folders["runs"].iterdir()))


def test_what_died_together_with_its_janitor_is_swept_at_the_next_start(
    running: supervisor.Running, eventually: Callable[..., bool]
) -> None:
    run_a_function(running)
    # Stopped first, so that neither can react to the other's death.
    janitor = janitor_of(running)
    for pid in (running.pid, janitor):
        os.kill(pid, signal.SIGSTOP)
    for pid in (janitor, running.pid):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(running.pid, 0)
    assert running.run_folder.exists()
    began = time.monotonic()
    second = supervisor.start(0, state_folder=running.state_folder)
    try:
        assert time.monotonic() - began < 30
        assert_nothing_left(running, eventually)
    finally:
        supervisor.stop(second)
