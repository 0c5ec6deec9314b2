"""The program inside a serving container: answers GET /ping and POST /invocations for one model.

    python -P model_server.py SOCKET FRAMEWORK MODEL_FOLDER FAILURE_FILE < pipe

It is started by `fleet` with a listening socket and ends with the pipe. It follows the SageMaker inference toolkit:
`code/inference.py` may define model_fn, input_fn, predict_fn, output_fn or transform_fn, and what it leaves out is the
toolkit's own. It needs the standard library and numpy, and the framework that it serves; it imports nothing of the
project, since it runs in the model's environment.
"""

import importlib.util
import io
import json
import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

UNSUPPORTED_MEDIA_TYPE, NOT_ACCEPTABLE = 415, 406
TEXT_TYPES = ("text/csv", "application/json")
Answer = tuple[bytes, str]


class RefusedError(Exception):
    """The caller's fault; `code` is the HTTP status."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


def decode(body: str | bytes, content_type: str) -> Any:
    """The toolkit's default input_fn: CSV, JSON and npy become an array; text becomes float32.

    A CSV body of one row becomes one dimension, as in the toolkit.
    """
    import numpy

    kind = media_type(content_type)
    text = body.decode("utf-8") if isinstance(body, bytes) and kind in TEXT_TYPES else body
    if kind == "text/csv":
        return numpy.genfromtxt(io.StringIO(str(text)), dtype=numpy.float32, delimiter=",")
    if kind == "application/json":
        return numpy.array(json.loads(text)).astype(numpy.float32)
    if kind == "application/x-npy":
        # Never with pickle: the body is a stranger's.
        return numpy.load(io.BytesIO(text if isinstance(text, bytes) else text.encode()), allow_pickle=False)
    raise RefusedError(UNSUPPORTED_MEDIA_TYPE, f"Content type {kind} is not supported by this framework.")


def encode(prediction: Any, accept: str) -> Answer:
    """The toolkit's default output_fn: an array as JSON, CSV or npy."""
    import numpy

    kind, values = media_type(accept), numpy.asarray(prediction)
    if kind == "application/json":
        return json.dumps(values.tolist()).encode(), kind
    if kind == "text/csv":
        rows = values.reshape(values.shape[0], -1) if values.ndim else values.reshape(1, 1)
        return "".join(",".join(map(str, row)) + "\n" for row in rows).encode(), kind
    if kind == "application/x-npy":
        buffer = io.BytesIO()
        numpy.save(buffer, values, allow_pickle=False)
        return buffer.getvalue(), kind
    raise RefusedError(NOT_ACCEPTABLE, f"Accept type {kind} is not supported by this framework.")


def media_type(value: str) -> str:
    """`text/csv` of `Text/CSV; charset=utf-8`."""
    return value.split(";")[0].strip().lower()


class ScriptModel:
    """A model served through its own inference script."""

    def __init__(self, folder: Path, script: Path, framework: str) -> None:
        module = load_script(script)
        if not hasattr(module, "model_fn"):
            if framework != "xgboost":
                raise ImportError(f"{script.name} defines no model_fn, which the {framework} container calls")
            self._model = load_booster(folder)
        else:
            self._model = module.model_fn(str(folder))
        self._transform = getattr(module, "transform_fn", None)
        self._input = getattr(module, "input_fn", decode if framework != "xgboost" else booster_input)
        self._predict = getattr(module, "predict_fn", lambda data, model: model.predict(data))
        self._output = getattr(module, "output_fn", encode)

    def __call__(self, body: bytes, content_type: str, accept: str) -> Answer:
        content: str | bytes = body.decode("utf-8") if media_type(content_type) in TEXT_TYPES else body
        if self._transform is not None:
            answer = self._transform(self._model, content, content_type, accept)
        else:
            prediction = self._predict(self._input(content, content_type), self._model)
            answer = self._output(prediction, accept)
        text, kind = answer if isinstance(answer, tuple) else (answer, accept)
        return text if isinstance(text, bytes) else str(text).encode(), kind


class BoosterModel:
    """The xgboost container's algorithm mode: a booster without a script."""

    def __init__(self, folder: Path) -> None:
        self._booster = load_booster(folder)

    def __call__(self, body: bytes, content_type: str, accept: str) -> Answer:
        predictions = self._booster.predict(booster_input(body, content_type)).tolist()
        if media_type(accept) == "application/json":
            scores = [{"score": prediction} for prediction in predictions]
            return json.dumps({"predictions": scores}).encode(), "application/json"
        # One line for all rows, as the container answers outside of batch transform.
        return ",".join(map(str, predictions)).encode(), "text/csv"


def booster_input(body: str | bytes, content_type: str) -> Any:
    """CSV (features only) or libsvm rows as a DMatrix."""
    import numpy
    import xgboost

    kind = media_type(content_type)
    text = body.decode("utf-8") if isinstance(body, bytes) else body
    lines = [line for line in text.strip().splitlines() if line.strip()]
    try:
        if kind == "text/csv":
            cells = [[float(cell) if cell.strip() else numpy.nan for cell in line.split(",")] for line in lines]
            return xgboost.DMatrix(numpy.array(cells, dtype=numpy.float32))
        if kind in ("text/libsvm", "text/x-libsvm"):
            return xgboost.DMatrix(libsvm_rows(lines))
    except ValueError as error:
        raise RefusedError(UNSUPPORTED_MEDIA_TYPE, f"Unable to evaluate payload provided: {error}") from error
    raise RefusedError(UNSUPPORTED_MEDIA_TYPE, f"Content type {kind} is not supported: send text/csv or text/libsvm.")


def libsvm_rows(lines: list[str]) -> Any:
    """Rows of `[label] index:value ...`; an index that a row leaves out is missing, not zero."""
    import numpy

    rows = [
        {int(index): float(value) for index, value in (cell.split(":") for cell in line.split() if ":" in cell)}
        for line in lines
    ]
    table = numpy.full((len(rows), max((max(row, default=-1) for row in rows), default=-1) + 1), numpy.nan)
    for number, row in enumerate(rows):
        for index, value in row.items():
            table[number, index] = value
    return table


def load_booster(folder: Path) -> Any:
    """The booster in a model folder. Raises FileNotFoundError with the names that are looked for."""
    import xgboost

    named = [folder / "xgboost-model"]
    others = [path for pattern in ("*.json", "*.ubj") for path in sorted(folder.glob(pattern))]
    for path in [*named, *others]:
        if path.is_file():
            booster = xgboost.Booster({"nthread": 1})
            booster.load_model(bytearray(path.read_bytes()))
            return booster
    raise FileNotFoundError("the archive holds no xgboost-model, *.json or *.ubj, nor code/inference.py")


def load_script(script: Path) -> ModuleType:
    """Import the inference script, its folder first on the path."""
    sys.path.insert(0, str(script.parent))
    specification = importlib.util.spec_from_file_location(script.stem, script)
    if specification is None or specification.loader is None:
        raise ImportError(f"{script} cannot be imported")
    module = importlib.util.module_from_spec(specification)
    sys.modules[script.stem] = module
    specification.loader.exec_module(module)
    return module


def load_model(framework: str, folder: Path) -> Callable[[bytes, str, str], Answer]:
    """What answers the requests for the model in a folder."""
    script = folder / "code" / os.environ.get("SAGEMAKER_PROGRAM", "inference.py")
    return ScriptModel(folder, script, framework) if script.is_file() else BoosterModel(folder)


class Handler(BaseHTTPRequestHandler):
    """HTTP of the container contract. `serve` is set once the model is loaded."""

    protocol_version = "HTTP/1.1"
    # With Nagle's algorithm an answer would wait for the client's delayed acknowledgement, 40 ms.
    disable_nagle_algorithm = True
    wbufsize = -1
    serve: Callable[[bytes, str, str], Answer] | None = None

    def do_GET(self) -> None:
        ready = type(self).serve is not None
        self._send(404 if self.path != "/ping" else 200 if ready else 503, b"", "text/plain")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        serve = type(self).serve
        if self.path != "/invocations" or serve is None:
            self._send(503 if serve is None else 404, b"", "text/plain")
            return
        accept = self.headers.get("Accept") or "*/*"
        if accept == "*/*":
            accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "application/json")
        try:
            answer, kind = serve(body, self.headers.get("Content-Type") or "application/json", accept)
            self._send(200, answer, kind)
        except Exception as error:
            self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        """An exception that carries an HTTP status (werkzeug's do) answers with it; any other one is a 500."""
        code = getattr(error, "code", None)
        if not isinstance(code, int) or not 400 <= code < 600:
            code = 500
            traceback.print_exc()
        text = str(getattr(error, "description", None) or f"{type(error).__name__}: {error}")
        self._send(code, text.encode(), "text/plain")

    def _send(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log invocations as the container does, but no pings, which come every few milliseconds at first."""
        if self.path != "/ping":
            sys.stderr.write(f"{self.log_date_time_string()} {format % arguments}\n")


def end_with_parent() -> None:
    """Leave at once when the parent closes the pipe or dies."""
    while os.read(0, 4096):
        pass
    os._exit(0)


def main() -> None:
    """Serve until the parent ends. A model that cannot be loaded leaves its reason in the failure file."""
    listening, framework, folder, failure = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
    threading.Thread(target=end_with_parent, daemon=True).start()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=listening)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        Handler.serve = staticmethod(load_model(framework, folder))
    except BaseException as error:
        traceback.print_exc()
        failure.write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        os._exit(1)
    threading.Event().wait()


if __name__ == "__main__":
    main()
