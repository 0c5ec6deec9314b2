"""Python Lambdas on AWS's own runtime interface client, as close to a Lambda sandbox as a process can be.

The emulator keeps the pool of workers, serves the Lambda Runtime API and enforces the timeout; this module decides
what runs behind it: `python -S -m awslambdaric` with the function's code and layers unpacked as `/var/task` and `/opt`
are, only the environment variables that Lambda would give, and a `sys.path` that holds the code, the layers and what
the Lambda runtime itself ships (boto3 and its dependencies). A package that is missing from the layers is missing here.

The runtimes python3.11 to python3.14 all run on the interpreter of this process; the template's `PythonRuntime` should
name the same version, because compiled dependencies in a layer fit one version only. Memory limits are not enforced.
"""

import hashlib
import importlib.util
import io
import logging
import os
import py_compile
import shutil
import sys
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.responses import get_region, request_scope
from ministack.services import lambda_svc

from localcloud import fault_plan
from localcloud.conformance.embedded_metrics import publish_embedded_metrics
from localcloud.conformance.patching import wraps
from localcloud.settings import LOST_WITHOUT_RUNTIME_CLIENT

RUNTIME_MODULES = (
    "awslambdaric",
    "runtime_client",
    "simplejson",
    "snapshot_restore_py",
    "boto3",
    "botocore",
    "s3transfer",
    "jmespath",
    "dateutil",
    "six",
    "urllib3",
)
"""What Lambda's Python runtime has on `sys.path` beside the standard library."""

INIT_SECONDS = 120.0
"""Lambda gives an init 10 s of a processor of its own; here many sandboxes start at once on a few."""

IN_FLIGHT: Counter[str] = Counter()
"""How many invocations of each function, by its ARN, have begun and not ended."""
_counting = threading.Lock()
_unpack_lock = threading.Lock()
_spawning = threading.local()


class Sandboxes:
    """The unpacked code, layers and runtime of one server, below one folder, shared read-only by all workers."""

    def __init__(self, folder: Path, log_folder: Path, endpoint_url: str) -> None:
        self.folder = folder
        self.log_folder = log_folder
        self.endpoint_url = endpoint_url
        self.temporary_folder = folder / "tmp"
        for needed in (folder, log_folder, self.temporary_folder):
            needed.mkdir(parents=True, exist_ok=True)
        self.runtime_folder = link_runtime(folder / "runtime")
        self._bootstrap_folder = write_bootstrap(folder / "bootstrap", "-m awslambdaric")
        self._plan_folder = folder.parent / fault_plan.FOLDER
        faulty = f'-P "{Path(__file__).with_name("faulty_runtime.py")}" "{self._plan_folder}"'
        self._faulty_bootstrap_folder = write_bootstrap(folder / "faulty-bootstrap", faulty)

    @property
    def bootstrap_folder(self) -> Path:
        """The folder of the program to start: AWS's runtime client, or the one that breaks calls while there is a fault plan."""
        planned = (self._plan_folder / fault_plan.PLAN).exists()
        return self._faulty_bootstrap_folder if planned else self._bootstrap_folder

    def task_folder(self, code_zip: bytes) -> Path:
        """The folder that stands for /var/task."""
        return unpack(self.folder / "code", [code_zip])

    def layer_folder(self, layers: list[Any]) -> Path:
        """The folder that stands for /opt: the layers laid over each other in their order, the last one on top."""
        archives = [archive for layer in layers if (archive := lambda_svc._resolve_layer_zip(layer))]
        return unpack(self.folder / "layers", archives)

    def environment(self, config: Mapping[str, Any], runtime_api: str) -> dict[str, str]:
        """Every variable of a worker's environment, as Lambda documents them, and the gateway's address."""
        task = self.task_folder(_spawning.worker.code_zip)
        layers = self.layer_folder(config.get("Layers") or [])
        runtime = str(config.get("Runtime", ""))
        name = str(config["FunctionName"])
        logging_config = config.get("LoggingConfig") or {}
        python_path = [task, layers / "python" / "lib" / runtime / "site-packages", layers / "python"]
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "TMPDIR": str(self.temporary_folder),
            "PYTHONPATH": os.pathsep.join(str(entry) for entry in [*python_path, self.runtime_folder]),
            "PYTHONUNBUFFERED": "1",
            **(lambda_svc._runtime_env_vars(dict(config))),
            **lambda_runtime.execution_credentials(dict(config)),
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION": get_region(),
            "AWS_DEFAULT_REGION": get_region(),
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": str(config.get("Version", "$LATEST")),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
            "AWS_LAMBDA_LOG_GROUP_NAME": str(logging_config.get("LogGroup") or f"/aws/lambda/{name}"),
            "AWS_LAMBDA_LOG_FORMAT": str(logging_config.get("LogFormat") or "Text"),
            "AWS_LAMBDA_LOG_LEVEL": str(logging_config.get("ApplicationLogLevel") or ""),
            "AWS_LAMBDA_LOG_STREAM_NAME": f"$LATEST/{id(_spawning.worker):x}",
            "LAMBDA_TASK_ROOT": str(task),
            "LAMBDA_RUNTIME_DIR": str(self.runtime_folder),
            "_HANDLER": str(config.get("Handler", "")),
        }


def link_runtime(folder: Path) -> Path:
    """Link the modules of Lambda's own runtime, and nothing else of this environment, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in RUNTIME_MODULES:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            continue
        source = Path(found.origin)
        source = source.parent if source.name == "__init__.py" else source
        (folder / source.name).symlink_to(source)
    return folder


def write_bootstrap(folder: Path, program: str) -> Path:
    """Write the program that Lambda would start (arguments of Python); the emulator expects it under the name `bootstrap`."""
    folder.mkdir(parents=True, exist_ok=True)
    bootstrap = folder / "bootstrap"
    # -S keeps the developer's installed packages off sys.path.
    bootstrap.write_text(f'#!/bin/sh\ncd "$LAMBDA_TASK_ROOT" && exec "{sys.executable}" -S {program} "$_HANDLER"\n')
    bootstrap.chmod(0o755)
    return folder


def unpack(folder: Path, archives: list[bytes]) -> Path:
    """Unpack `archives` over each other below `folder`, once per content, compiled so that cold starts are real-like."""
    digest = hashlib.sha256()
    for archive in archives:
        digest.update(hashlib.sha256(archive).digest())
    target = folder / digest.hexdigest()[:32]
    with _unpack_lock:
        if target.is_dir():
            return target
        partial = target.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for archive in archives:
            with zipfile.ZipFile(io.BytesIO(archive)) as opened:
                opened.extractall(partial)
        compile_sources(partial)
        partial.rename(target)
    return target


def compile_sources(folder: Path) -> None:
    """Compile every Python source of `folder` that has no compiled file yet."""
    for source in folder.rglob("*.py"):
        if not Path(importlib.util.cache_from_source(str(source))).exists():
            # Unchecked, because nobody edits an unpacked archive; quiet, because templates may end in .py too.
            py_compile.compile(
                str(source), doraise=False, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
            )


class CopyingStream:
    """A worker's output, also written to the function's log file and searched for metrics, line by line.

    The emulator keeps Embedded Metric Format lines as text; on AWS they become CloudWatch metrics.
    """

    def __init__(self, stream: io.BufferedReader, log_file: Path, account_id: str, region: str) -> None:
        self._stream = stream
        self._copy = log_file.open("ab", buffering=0)
        self._scope = (account_id, region)

    def readline(self) -> bytes:
        line = self._stream.readline()
        self._copy.write(line)
        with request_scope(*self._scope):
            publish_embedded_metrics(line.decode(errors="replace"))
        return line

    def close(self) -> None:
        self._stream.close()
        self._copy.close()


class RuntimeInterfaceWorker(lambda_runtime.ProvidedWorker):
    """One execution environment of a Python function."""

    sandboxes: Sandboxes

    def invoke(self, event: Any, request_id: str, **how: Any) -> dict[str, Any]:
        """Run an invocation. The emulator would answer an error of a sandbox by killing all sandboxes of its function, busy ones too."""
        try:
            return dict(super().invoke(event, request_id, **how))
        except Exception as error:
            logging.getLogger(__name__).warning("Lambda %s: %s", self.func_name, error)
            self._teardown()
            payload = {"errorMessage": str(error), "errorType": getattr(error, "error_type", "Runtime.Unknown")}
            return {"status": "error", "error": str(error), "error_payload": payload, "log": ""}

    def _spawn(self, init_timeout: float | None = None) -> None:
        _spawning.worker = self
        try:
            super()._spawn(INIT_SECONDS if init_timeout is None else max(init_timeout, INIT_SECONDS))
        finally:
            _spawning.worker = None

    def _await_init(self, init_timeout: float | None = None) -> None:
        try:
            super()._await_init(init_timeout)
        except RuntimeError as error:
            reported = self._init_error
            if not isinstance(reported, dict):
                raise
            # Lambda answers with the type that the runtime reported, such as Runtime.ImportModuleError.
            raise lambda_runtime.ProvidedRuntimeError(
                reported.get("errorMessage", str(error)), reported.get("errorType", "Runtime.Unknown")
            ) from error

    def _build_handler_class(self, generation: int, pending: Any) -> Any:
        handler = super()._build_handler_class(generation, pending)
        # Headers and body leave as two packets, and the second would wait 40 ms for the first one's acknowledgement.
        handler.disable_nagle_algorithm = True
        return handler

    def _drain_stderr_bounded(self, first_line_wait: float = 0.005, **limits: float) -> str:
        # The runtime writes unbuffered and before it answers: what a silent function would be waited for is not there.
        return super()._drain_stderr_bounded(min(first_line_wait, 0.005), **limits)

    def _pump_output(self, stream: Any, log_queue: Any) -> None:
        name = str(self.config.get("FunctionName", "unknown"))
        scope = lambda_runtime._account_region_from_function_config(self.config)
        super()._pump_output(CopyingStream(stream, self.sandboxes.log_folder / f"{name}.log", *scope), log_queue)


@contextmanager
def counted(function_arn: str) -> Iterator[None]:
    """An invocation of this function is under way."""
    with _counting:
        IN_FLIGHT[function_arn] += 1
    try:
        yield
    finally:
        with _counting:
            IN_FLIGHT[function_arn] -= 1


def is_python(config: Mapping[str, Any]) -> bool:
    """Whether a function's configuration asks for a Python runtime."""
    return str(config.get("Runtime", "")).startswith("python")


def install(run_folder: Path, endpoint_url: str) -> None:
    """Make the emulator run Python functions behind AWS's runtime interface client.

    The client exists for Linux only. Elsewhere the emulator's own worker stays, and a sentence says what is lost.
    """
    if importlib.util.find_spec("awslambdaric") is None:
        logging.getLogger(__name__).warning(LOST_WITHOUT_RUNTIME_CLIENT)
        return
    sandboxes = Sandboxes(run_folder / "lambda", run_folder / "logs" / "lambda", endpoint_url)
    RuntimeInterfaceWorker.sandboxes = sandboxes

    @wraps(lambda_runtime, "_worker_class_for")
    def choose_worker(original: Any, config: dict[str, Any]) -> type[lambda_runtime.Worker]:
        return RuntimeInterfaceWorker if is_python(config) else original(config)

    @wraps(lambda_svc, "_execute_function_warm")
    def execute(original: Any, function: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        config = function.get("config") or function
        chosen = lambda_svc._execute_function_provided_warm if is_python(config) else original
        with counted(str(config.get("FunctionArn", ""))):
            return chosen(function, event, request_id)

    @wraps(lambda_svc, "_provided_runtime_code_dir")
    def choose_program(original: Any, code_zip: bytes) -> str:
        return original(code_zip) if getattr(_spawning, "worker", None) is None else str(sandboxes.bootstrap_folder)

    @wraps(lambda_svc, "_provided_worker_env")
    def choose_environment(original: Any, config: dict[str, Any], code_folder: str, port: int) -> dict[str, str]:
        if getattr(_spawning, "worker", None) is None:
            return original(config, code_folder, port)
        return sandboxes.environment(config, f"127.0.0.1:{port}")
