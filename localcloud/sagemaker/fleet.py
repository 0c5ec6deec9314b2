"""The processes that serve: one per container of a variant, whatever its instance count."""

import http.client
import queue
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.sagemaker.containers import StagedModel
from localcloud.sagemaker.errors import WorkFailedError
from localcloud.sagemaker.processes import clean_environment, stop

SERVER = Path(__file__).with_name("model_server.py")
INVOKE_SECONDS = 60.0
"""SageMaker gives a model that long to answer."""

PING_PAUSE_SECONDS = 0.02
DRAIN_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """What the container answered; `seconds` is the time from the request to the last byte of the answer."""

    status: int
    content_type: str
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    container: str = "primary"


class FleetStoppedError(Exception):
    """The fleet takes no more requests: the caller should look for its successor."""


@dataclass
class Fleet:
    """The server process of one container of a variant. Requests in flight are counted, so that it can be drained before it ends."""

    variant_name: str
    container: str
    spawn: Callable[[], tuple[subprocess.Popen[bytes], int]]
    failure_file: Path
    process: subprocess.Popen[bytes] = field(init=False)
    port: int = field(init=False)
    _idle: queue.LifoQueue[http.client.HTTPConnection] = field(default_factory=queue.LifoQueue)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _in_flight: int = 0
    _stopping: bool = False

    def __post_init__(self) -> None:
        self.process, self.port = self.spawn()

    @classmethod
    def start(cls, variant_name: str, container: str, model: StagedModel, folder: Path, log_file: Path) -> "Fleet":
        """Start the server process; it listens from the first moment and is healthy when the model is loaded."""
        failure_file = folder / "failure"
        environment = {"SAGEMAKER_BASE_DIR": str(folder), "SM_MODEL_DIR": str(model.folder), **model.environment}

        def spawn() -> tuple[subprocess.Popen[bytes], int]:
            with socket.create_server(("127.0.0.1", 0)) as listening, log_file.open("ab") as log:
                arguments = [str(listening.fileno()), model.framework.name, str(model.folder), str(failure_file)]
                process = subprocess.Popen(
                    [str(model.python), "-P", str(SERVER), *arguments],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=folder,
                    env=clean_environment(model.python, environment),
                    pass_fds=(listening.fileno(),),
                )
                return process, listening.getsockname()[1]

        return cls(variant_name, container, spawn, failure_file)

    def wait_until_healthy(self, seconds: float) -> None:
        """Ping until the container is healthy. Raises WorkFailedError when it ended or `seconds` have passed."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if self._is_healthy():
                return
            time.sleep(PING_PAUSE_SECONDS)
        reason = self.failure_file.read_text(encoding="utf-8") if self.failure_file.exists() else "no answer to /ping"
        raise WorkFailedError(
            f"The {self.container} container for production variant {self.variant_name} did not pass the ping health check. "
            f"Please check CloudWatch logs for this endpoint. ({reason[:600]})"
        )

    def _is_healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post a request to the model.

        Raises FleetStoppedError when the fleet is being stopped, OSError or HTTPException when the process is gone.
        """
        with self._changed:
            if self._stopping:
                raise FleetStoppedError(self.variant_name)
            self._in_flight += 1
        try:
            return self._exchange(body, headers)
        except (OSError, http.client.HTTPException):
            self._revive()
            raise
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    def _revive(self) -> None:
        """Start a container that has ended anew, as SageMaker does; the request that found it dead is lost."""
        with self._changed:
            if self._stopping or self.process.poll() is None:
                return
            self._forget_connections()
            stop(self.process)
            self.process, self.port = self.spawn()

    def _exchange(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        while True:
            try:
                connection, reused = self._idle.get_nowait(), True
            except queue.Empty:
                connection, reused = http.client.HTTPConnection("127.0.0.1", self.port, timeout=INVOKE_SECONDS), False
            began = time.perf_counter()
            try:
                connection.request("POST", "/invocations", body, dict(headers))
                response = connection.getresponse()
                content = response.read()
            except (ConnectionError, http.client.RemoteDisconnected):
                connection.close()
                if reused:
                    # The server closed a connection that had been idle; the request never reached it.
                    continue
                raise
            except BaseException:
                connection.close()
                raise
            self._idle.put(connection)
            answered = {name.lower(): value for name, value in response.getheaders()}
            kind = answered.get("content-type", "application/json")
            return Answer(response.status, kind, answered, content, time.perf_counter() - began, self.container)

    def drain_and_stop(self) -> None:
        """Let the requests in flight end, take no others, then end the process."""
        with self._changed:
            self._stopping = True
            self._changed.wait_for(lambda: self._in_flight == 0, DRAIN_SECONDS)
        self.stop()

    def stop(self) -> None:
        """End the process at once."""
        with self._changed:
            self._stopping = True
            self._forget_connections()
        stop(self.process)

    def _forget_connections(self) -> None:
        while not self._idle.empty():
            self._idle.get_nowait().close()
