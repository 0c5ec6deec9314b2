"""Serves the prices of computers in SageMaker's scikit-learn container.

Requests (columns in the order of `features.json`; for the default model: speed, hd, ram, screen, cd, multi, premium):

- `text/csv`, without header, one computer a line: `33,170,8,14,no,no,yes`
- `application/json`: `{"instances": [{"speed": 33, "hd": 170, ...}]}`, or each instance as a list in that order

Answers, in the type the Accept header asks for, in US dollars:

- `text/csv`: `prediction`, one computer a line
- `application/json`: `{"predictions": [{"prediction": 2049.5}]}`

A row that does not fit is refused with status 400 and the name of the column, another content type with 415. Nothing a
caller sends is ever unpickled.
"""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import joblib
import pandas as pd

try:  # The container serves through Flask, which answers this exception with the status it carries.
    from werkzeug.exceptions import HTTPException
except ImportError:
    HTTPException = Exception


class InvalidRequestError(ValueError, HTTPException):
    """The caller's fault: `code` is the HTTP status to answer with, `description` says what to change."""

    def __init__(self, description: str, code: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.response = None


def model_fn(model_dir: str) -> dict:
    """Load the regressor and the list of its features from the unpacked archive."""
    folder = Path(model_dir)
    features = json.loads((folder / "features.json").read_text(encoding="utf-8"))
    return {"regressor": joblib.load(folder / "model.joblib"), "features": features}


def input_fn(request_body: str | bytes, content_type: str) -> list:
    """Parse a request into instances: lists of cells (CSV) or what `instances` holds (JSON).

    Raises:
        InvalidRequestError: the body cannot be read or holds no row (400); the content type is another (415).
    """
    media_type = content_type.split(";")[0].strip().lower()
    if media_type not in ("text/csv", "application/json"):
        raise InvalidRequestError(f"content type {media_type}: send text/csv or application/json", code=415)
    try:
        text = request_body.decode("utf-8") if isinstance(request_body, bytes) else request_body
    except UnicodeDecodeError:
        raise InvalidRequestError("the body is not UTF-8 text") from None
    instances = _read_csv(text) if media_type == "text/csv" else _read_json(text)
    if not instances:
        raise InvalidRequestError("the request holds no row")
    return instances


def predict_fn(instances: list, model: dict) -> list[dict]:
    """Predict every instance: `prediction`, the price in US dollars.

    Raises:
        InvalidRequestError: a row lacks a column, has one too many, or holds a value its column cannot take.
    """
    features = model["features"]
    rows = [_check_row(number, instance, features) for number, instance in enumerate(instances, start=1)]
    table = pd.DataFrame(rows, columns=[feature["name"] for feature in features])
    return [{"prediction": float(value)} for value in model["regressor"].predict(table)]


def output_fn(predictions: list[dict], accept: str) -> tuple[str, str]:
    """Write the answer and name its content type."""
    if accept.split(";")[0].strip().lower() == "text/csv":
        lines = [f"{prediction['prediction']:.6f}" for prediction in predictions]
        return "\n".join(lines) + "\n", "text/csv"
    return json.dumps({"predictions": predictions}), "application/json"


def _read_csv(text: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    except csv.Error as error:
        raise InvalidRequestError(f"the body is not CSV: {error}") from None


def _read_json(text: str) -> list:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidRequestError("the body is not JSON") from None
    instances = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(instances, list):
        raise InvalidRequestError('the body has no list "instances"')
    return instances


def _check_row(number: int, instance: object, features: list[dict]) -> list:
    names = [feature["name"] for feature in features]
    if isinstance(instance, dict):
        for name in names:
            if name not in instance:
                raise InvalidRequestError(f"row {number}: column {name} is missing")
        unknown = sorted(str(name) for name in instance if name not in names)
        if unknown:
            raise InvalidRequestError(f"row {number}: column {unknown[0][:40]} is not known")
        cells = [instance[name] for name in names]
    elif isinstance(instance, list):
        if len(instance) < len(names):
            raise InvalidRequestError(f"row {number}: column {names[len(instance)]} is missing")
        if len(instance) > len(names):
            raise InvalidRequestError(f"row {number}: {len(instance)} columns, the model takes {len(names)}")
        cells = instance
    else:
        raise InvalidRequestError(f"row {number}: neither a list nor an object")
    return [_check_cell(number, features[index], cell) for index, cell in enumerate(cells)]


def _check_cell(number: int, feature: dict, cell: Any) -> float | str:
    where = f"row {number}, column {feature['name']}"
    if feature["kind"] == "category":
        word = cell.strip() if isinstance(cell, str) else cell
        if word not in feature["values"]:
            raise InvalidRequestError(f"{where}: one of {', '.join(feature['values'])}")
        return word
    try:
        value = math.nan if isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise InvalidRequestError(f"{where}: a finite number")
    return value
