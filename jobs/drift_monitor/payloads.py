"""Requests and answers as endpoints got and gave them: CSV, JSON and JSON lines, base 64 or not, as rows."""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import Any, Dict, List, Union

Row = Union[List[Any], Dict[str, Any]]
"""Cells by position, or by name where the payload names them."""

LISTS = ("instances", "predictions", "inputs", "outputs", "data", "rows")
"""Members of a JSON payload that hold its rows."""


def rows_of(side: Any) -> list[Row]:
    """The rows of one side of a captured record; a ValueError that says why there are none.

    Args:
        side: `endpointInput`, `endpointOutput` or `groundTruthData`: `data`, `encoding` (CSV, JSON, BASE64), and for base 64
            `observedContentType`.
    """
    if not isinstance(side, dict) or not isinstance(side.get("data"), str):
        raise ValueError("it has no data")
    data, encoding = side["data"], str(side.get("encoding", "")).upper()
    kind = str(side.get("observedContentType") or "").split(";")[0].strip().lower()
    if encoding == "BASE64":
        data = base64.b64decode(data, validate=True).decode("utf-8")
        encoding = "JSON" if "json" in kind else "CSV"
    if encoding == "JSON":
        return json_rows(data)
    if encoding == "CSV":
        return csv_rows(data)
    raise ValueError(f"its encoding is {encoding[:20]!r}")


def csv_rows(data: str) -> list[Row]:
    """Rows of CSV without a header; a ValueError where it is none."""
    try:
        return [row for row in csv.reader(io.StringIO(data)) if row]
    except csv.Error as error:
        raise ValueError(f"it is no CSV: {error}") from error


def json_rows(data: str) -> list[Row]:
    """Rows of a JSON document or of JSON lines; a ValueError where it is none."""
    try:
        return document_rows(json.loads(data))
    except RecursionError as error:
        raise ValueError("its JSON is nested too deeply") from error
    except ValueError:
        lines = [line for line in data.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        return [row for line in lines for row in document_rows(json.loads(line))]


def document_rows(document: Any) -> list[Row]:
    """Rows of a parsed document: a list of rows, an object with such a list, one row, or one value."""
    if isinstance(document, dict):
        inner = next((document[name] for name in LISTS if isinstance(document.get(name), list)), None)
        return [document] if inner is None else document_rows(inner)
    if not isinstance(document, list):
        return [[document]]
    if document and not any(isinstance(one, (list, dict)) for one in document):
        return [document]
    return [_row(one) for one in document]


def _row(one: Any) -> Row:
    if isinstance(one, dict):
        features = one.get("features")
        return features if isinstance(features, list) and len(one) == 1 else one
    return one if isinstance(one, list) else [one]


def one_for_each(answers: list[Row], rows: int) -> list[Row]:
    """Answers, of so many rows: XGBoost joins those of a request to one line, and a JSON list of plain values is one row too."""
    if rows > 1 and len(answers) == 1 and isinstance(answers[0], list) and len(answers[0]) == rows:
        return [[cell] for cell in answers[0]]
    return answers
