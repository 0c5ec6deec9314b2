"""What SageMaker's data capture writes: one JSON document a line, of what an endpoint was asked and what it answered.

Source: "Capture data from real-time endpoint", SageMaker developer guide.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CapturedAnswer:
    """One record: `asked` is a hash of the request, `answer` the answer as text."""

    asked: str
    answer: str


def captured_answer(line: bytes) -> CapturedAnswer | None:
    """A line of a capture; None where it is no record of a request with its answer."""
    try:
        data = json.loads(line)["captureData"]
        asked, answered = _content(data["endpointInput"]), _content(data["endpointOutput"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return CapturedAnswer(hashlib.sha256(asked).hexdigest(), answered.decode(errors="backslashreplace"))


def _content(side: dict[str, Any]) -> bytes:
    """One side as it was sent: types that a configuration does not name as CSV or JSON are kept in base 64."""
    data: str = side["data"]
    if side.get("encoding") != "BASE64":
        return data.encode()
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError("no base 64") from error


def shadow_capture(folder: str) -> dict[str, Any]:
    """DataCaptureConfig of a shadow: everything that both variants are asked and answer, below an `s3://` folder."""
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": folder,
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
    }
