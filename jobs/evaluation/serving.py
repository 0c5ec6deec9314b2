"""Asks a model for its answers through its own serving code, as SageMaker's framework containers do.

What is judged is then what will be served: the same `code/inference.py`, the same features in the same order.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from jobs.evaluation.errors import EvaluationError

ROWS_PER_REQUEST = 500
CSV = "text/csv"


def ask(
    archive: Path, program: str, table: pd.DataFrame, features: Sequence[str], columns: Sequence[str]
) -> pd.DataFrame:
    """Ask the model in a `model.tar.gz` about every row.

    Args:
        archive: the model archive with `code/PROGRAM` in it.
        program: the serving script, usually `inference.py`.
        table: the rows.
        features: the columns the model takes, in its order; they are sent as CSV without a header.
        columns: names for the columns of the answer, which is CSV too, one line a row; or one line with a cell a row, where
            that cannot be the answer to one row.

    Returns:
        The answers as text, one row for each of the table's; only as many columns as the model answers.

    Raises:
        EvaluationError: the archive cannot be served, a request failed, or an answer has not one line or cell a row.
    """
    path = list(sys.path)
    try:
        with tempfile.TemporaryDirectory() as folder:
            unpack(archive, Path(folder))
            model = ScriptModel(Path(folder), program)
            lines: list[list[str]] = []
            for first in range(0, len(table), ROWS_PER_REQUEST):
                rows = table.iloc[first : first + ROWS_PER_REQUEST]
                cells = len(lines[0]) if lines else len(columns)
                lines += _ask_batch(model, rows[list(features)], first + 1, cells)
    finally:
        # The script's folder was put first, where it stays as long as the script may import from it.
        sys.path[:] = path
    width = min(len(columns), min(len(line) for line in lines))
    return pd.DataFrame(
        [line[:width] for line in lines], columns=list(columns[:width]), index=table.index, dtype=object
    )


def _ask_batch(model: ScriptModel, rows: pd.DataFrame, first: int, cells: int) -> list[list[str]]:
    where = f"rows {first} to {first + len(rows) - 1}"
    try:
        answer = model(rows.to_csv(header=False, index=False))
    except Exception as error:
        # The serving code is the team's own: whatever it raises is what the person has to read.
        raise EvaluationError(f"the model did not answer {where}: {type(error).__name__}: {error}") from error
    lines = [line for line in csv.reader(io.StringIO(answer)) if line]
    if len(lines) == 1 and len(lines[0]) == len(rows) > cells:
        # Scripts that join by commas, as XGBoost's container does, answer every row on one line. With no more cells than
        # one row's answer may have it could be that alone, and the other rows be left out.
        lines = [[cell] for cell in lines[0]]
    if len(lines) != len(rows):
        raise EvaluationError(f"the model answered {where} with {len(lines)} lines of CSV")
    return lines


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of a tar archive below a folder.

    Raises:
        EvaluationError: it is no tar archive, or a member is a link, a device or outside of the folder.
    """
    try:
        with tarfile.open(archive) as opened:
            for member in opened:
                path = PurePosixPath(member.name)
                if member.isdir():
                    continue
                source = opened.extractfile(member) if member.isfile() else None
                if source is None or path.is_absolute() or ".." in path.parts:
                    raise EvaluationError(f"{archive.name} holds {member.name}, which is no plain file inside of it")
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as written:
                    shutil.copyfileobj(source, written)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise EvaluationError(f"{archive} is not a readable tar archive: {error}") from error


class ScriptModel:
    """A model behind the functions of its serving script; what the script leaves out is the toolkit's own."""

    def __init__(self, folder: Path, program: str) -> None:
        script = folder / "code" / program
        if not script.is_file():
            raise EvaluationError(
                f"the archive holds no code/{program}; judge a table of its predictions instead (leave out --model)"
            )
        try:
            module = _load(script)
            self._model = module.model_fn(str(folder))
        except Exception as error:
            raise EvaluationError(f"code/{program} did not load the model: {type(error).__name__}: {error}") from error
        self._transform = getattr(module, "transform_fn", None)
        self._input = getattr(module, "input_fn", _decode)
        self._predict = getattr(module, "predict_fn", lambda data, model: model.predict(data))
        self._output = getattr(module, "output_fn", _encode)

    def __call__(self, body: str) -> str:
        """Answer rows of CSV with rows of CSV."""
        if self._transform is not None:
            answer = self._transform(self._model, body, CSV, CSV)
        else:
            answer = self._output(self._predict(self._input(body, CSV), self._model), CSV)
        content, kind = answer if isinstance(answer, tuple) else (answer, CSV)
        if kind.split(";")[0].strip().lower() != CSV:
            raise EvaluationError(f"it was asked for {CSV} and answered {kind}")
        return content.decode("utf-8") if isinstance(content, bytes) else str(content)


def _load(script: Path) -> Any:
    sys.path.insert(0, str(script.parent))
    specification = importlib.util.spec_from_file_location(script.stem, script)
    if specification is None or specification.loader is None:
        raise ImportError(f"{script.name} is no Python file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[script.stem] = module
    specification.loader.exec_module(module)
    return module


def _decode(body: str, _content_type: str) -> np.ndarray:
    rows = [line for line in csv.reader(io.StringIO(body)) if line]
    return np.array(rows, dtype=np.float32)


def _encode(prediction: Any, _accept: str) -> str:
    values = np.asarray(prediction)
    return "".join(",".join(map(str, row)) + "\n" for row in values.reshape(len(values), -1).tolist())
