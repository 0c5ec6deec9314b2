"""Data capture: what endpoints were asked and what they answered, as JSON lines in S3.

Source: "Capture data from real-time endpoint", in the SageMaker developer guide.
"""

import base64
import json
import logging
import random
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from localcloud.sagemaker.background import Background
from localcloud.sagemaker.cloud import Cloud, JsonObject, Place
from localcloud.sagemaker.fleet import Answer

FLUSH_SECONDS = 60.0
"""How long records are held before they are written as one object. AWS says minutes."""
INFERENCE_ID, CUSTOM_ATTRIBUTES = "x-amzn-sagemaker-inference-id", "x-amzn-sagemaker-custom-attributes"
CSV_TYPES, JSON_TYPES = ["text/csv"], ["application/json"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Captured:
    """Whose requests are captured: an endpoint's variant, how (DataCaptureConfig), and under which model's role."""

    place: Place
    endpoint_name: str
    variant: str
    config: Mapping[str, object]
    role_arn: str

    @property
    def prefix(self) -> str:
        """Where its objects go."""
        return f"{str(self.config['DestinationS3Uri']).rstrip('/')}/{self.endpoint_name}/{self.variant}"


@dataclass
class _Held:
    captured: Captured
    lines: list[str] = field(default_factory=list)


class Captures:
    """Holds records for a while, then writes them as one object for each variant."""

    def __init__(self, cloud: Cloud, background: Background) -> None:
        self._cloud = cloud
        self._background = background
        self._lock = threading.Lock()
        self._held: dict[tuple[Place, str, str, str], _Held] = {}

    def take(self, captured: Captured, event_id: str, headers: Mapping[str, str], body: bytes, answer: Answer) -> None:
        """Keep a request and its answer, if the sample takes them. Answers that are no success are not captured."""
        share = int(str(captured.config["InitialSamplingPercentage"])) / 100
        if not captured.config.get("EnableCapture") or answer.status >= 400 or random.random() >= share:  # noqa: S311 - a share
            return
        line = json.dumps(_record(captured.config, event_id, headers, body, answer, self._time()))
        key = (captured.place, captured.endpoint_name, captured.variant, captured.prefix)
        with self._lock:
            held = self._held.get(key)
            if held is None:
                held = self._held[key] = _Held(captured)
                self._background.start(f"capture of {captured.endpoint_name}", lambda: self._write_later(key))
            held.lines.append(line)

    def _write_later(self, key: tuple[Place, str, str, str]) -> None:
        if self._background.wait(FLUSH_SECONDS):
            return  # The laptop's AWS ends, and its buckets with it.
        with self._lock:
            held = self._held.pop(key)
        self._write(held)

    def _write(self, held: _Held) -> None:
        captured, moment = held.captured, self._time()
        name = f"{moment:%M-%S}-{moment.microsecond // 1000:03d}-{uuid4()}.jsonl"
        uri = f"{captured.prefix}/{moment:%Y/%m/%d/%H}/{name}"
        if not self._cloud.may(captured.place, captured.role_arn, "s3:PutObject", uri):
            # AWS drops what it may not write, and serves on.
            logger.warning(
                "%d records of %s are not captured: %s may not write %s.",
                len(held.lines),
                captured.endpoint_name,
                captured.role_arn,
                uri,
            )
            return
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_text("".join(f"{line}\n" for line in held.lines), encoding="utf-8")
            try:
                self._cloud.upload(captured.place, file, uri)
            except FileNotFoundError:
                logger.warning(
                    "%d records of %s are lost: there is no bucket for %s.",
                    len(held.lines),
                    captured.endpoint_name,
                    uri,
                )

    def _time(self) -> datetime:
        return datetime.fromtimestamp(self._cloud.now(), UTC)


def summary(config: JsonObject) -> JsonObject:
    """DescribeEndpoint's DataCaptureConfig of an endpoint that serves."""
    return {
        "EnableCapture": bool(config.get("EnableCapture")),
        "CaptureStatus": "Started" if config.get("EnableCapture") else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        # The service model wants a key; without one, AWS encrypts under its own.
        "KmsKeyId": config.get("KmsKeyId", ""),
    }


def _record(
    config: Mapping[str, object],
    event_id: str,
    headers: Mapping[str, str],
    body: bytes,
    answer: Answer,
    moment: datetime,
) -> JsonObject:
    options = config["CaptureOptions"]
    modes = {str(one["CaptureMode"]) for one in options}  # type: ignore[attr-defined]
    data: JsonObject = {}
    if modes & {"Input", "InputAndOutput"}:
        data["endpointInput"] = _side(config, "INPUT", headers.get("content-type") or "application/json", body)
    if modes & {"Output", "InputAndOutput"}:
        data["endpointOutput"] = _side(config, "OUTPUT", answer.content_type, answer.body)
    told: JsonObject = {"eventId": event_id, "inferenceTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
    if INFERENCE_ID in headers:
        told["inferenceId"] = headers[INFERENCE_ID]
    if CUSTOM_ATTRIBUTES in headers:
        told["customAttributes"] = [headers[CUSTOM_ATTRIBUTES]]
    return {"captureData": data, "eventMetadata": told, "eventVersion": "0"}


def _side(config: Mapping[str, object], mode: str, content_type: str, body: bytes) -> JsonObject:
    """One side of a record. Types that the configuration does not name as CSV or JSON are kept in base 64."""
    named = config.get("CaptureContentTypeHeader") or {}
    kind = content_type.split(";")[0].strip().lower()
    kinds = (("CSV", "CsvContentTypes", CSV_TYPES), ("JSON", "JsonContentTypes", JSON_TYPES))
    encoding = next((one for one, member, usual in kinds if kind in (named.get(member) or usual)), "BASE64")  # type: ignore[attr-defined]
    try:
        text = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode("utf-8")
    except UnicodeDecodeError:
        encoding, text = "BASE64", base64.b64encode(body).decode()
    return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": encoding}
